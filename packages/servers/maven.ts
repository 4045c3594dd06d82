import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { has, run } from './detached.ts'
import { locked, provisioned } from './provisioned.ts'
import type { Say } from './server.ts'

export interface Artefact {
  /** group:artefact:version */
  id: string
  /** Without what it depends on. */
  alone?: boolean
}

/** What a server from Maven needs here: a Java to run on and, until its programs are in the cache, `mvn`. */
export function needsOfJava(cache: string, name: string): string[] {
  const found: string[] = []
  const java = has('java') ? javaVersion() : null
  if (java === null) found.push('`java` is missing: apt-get install default-jre-headless')
  else if (java < 17) found.push(`\`java\` is version ${java} and must be 17 or newer: apt-get install openjdk-17-jre-headless`)
  if (!existsSync(join(cache, name)) && !has('mvn')) found.push('`mvn` is missing: apt-get install maven')
  return found
}

const javaVersion = (): number => Number(/version "(?:1\.)?(\d+)/.exec(spawnSync('java', ['-version'], { encoding: 'utf8' }).stderr)?.[1])

/** Brings the artefacts and what they need at run time into `lib` of the cache folder `name`; `arrange` has the last word on it. */
export const fromMaven = (
  cache: string,
  name: string,
  artefacts: Artefact[],
  say: Say,
  arrange: (folder: string) => Promise<void> = async () => undefined,
): Promise<string> =>
  provisioned(cache, name, async (folder) => {
    await mkdir(join(folder, 'lib'))
    await writeFile(join(folder, 'pom.xml'), pom(name, artefacts))
    let files = 0
    const heard = (line: string) => {
      if (/^(\[INFO\] )?Downloaded from/.test(line)) files++
    }
    const args = ['-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${join(folder, 'lib')}`]
    // Two Mavens on one local repository may read each other's half-written files.
    await locked(join(cache, 'maven.lock'), async () => {
      say(`${name}: downloading from Maven`)
      const progress = setInterval(() => say(`${name}: ${files} files downloaded so far`), 10_000)
      try {
        await run({ command: 'mvn', args, cwd: folder }, heard)
      } finally {
        clearInterval(progress)
      }
    })
    await arrange(folder)
  })

function pom(name: string, artefacts: Artefact[]): string {
  const dependencies = artefacts.map(({ id, alone }) => {
    const [group, artefact, version] = id.split(':')
    const exclusions = alone ? '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>' : ''
    return `<dependency><groupId>${group}</groupId><artifactId>${artefact}</artifactId><version>${version}</version>${exclusions}</dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>twofold</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependencies.join('\n')}
</dependencies></project>
`
}
