import { globSync, readFileSync } from 'node:fs'
import { join, parse, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { BUNDLING } from '../../stacks/bundling.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** As SST bundles a function of Node for the cloud; split, the same entry gives the same bytes. */
const LIKE_SST: BuildOptions = {
  absWorkingDir: root,
  logLevel: 'silent',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2024',
  mainFields: ['module', 'main'],
  external: ['sharp', 'pg-native'],
  ...BUNDLING.esbuild,
  minify: BUNDLING.minify,
  outExtension: { '.js': '.mjs' },
  banner: {
    js: [
      `import { createRequire as topLevelCreateRequire } from 'module';`,
      `const require = topLevelCreateRequire(import.meta.url);`,
      `import { fileURLToPath as topLevelFileUrlToPath, URL as topLevelURL } from "url"`,
      `const __filename = topLevelFileUrlToPath(import.meta.url)`,
      `const __dirname = topLevelFileUrlToPath(new topLevelURL(".", import.meta.url))`,
      '',
    ].join('\n'),
  },
}

/** What a function consists of. */
export interface Bundle {
  /** Of the source, from the root: `functions/memories/add.ts`. */
  entry: string
  /** Of all its modules together, and of what is loaded with the first: what is imported by a call comes with the call. */
  bytes: number
  started: number
  /** Every file that is in it, from the root, with the bytes that are left of it; and of these the ones that are loaded with the first. */
  inputs: ReadonlyMap<string, number>
  startedWith: ReadonlyMap<string, number>
  source: string
  metafile: Metafile
}

/** Bundles a function exactly as SST does, into a folder of its own in `folder`: the path of the module that exports `handler`. */
export async function bundle(entry: string, folder: string): Promise<string> {
  const outdir = join(folder, entry.replace(/\.ts$/, ''))
  await build({ ...LIKE_SST, splitting: BUNDLING.splitting, sourcemap: 'linked', entryPoints: [entry], outdir })
  return join(outdir, `${parse(entry).name}.mjs`)
}

/** What the bundles of these entries consist of, each by itself. Made at once and in one piece, which holds the same and is done in a tenth of the time. */
export async function bundles(entries: readonly string[]): Promise<Bundle[]> {
  const { metafile, outputFiles } = await build({
    ...LIKE_SST,
    metafile: true,
    entryPoints: [...entries],
    outbase: root,
    outdir: join(root, 'never-written'),
    write: false,
  })
  const sources = new Map(outputFiles.map(({ path, text }) => [relative(root, path), text]))
  return Object.entries(metafile.outputs)
    .flatMap(([file, { entryPoint: entry, bytes, inputs: left }]) => {
      if (entry === undefined) return []
      const inputs = new Map(Object.entries(left).map(([file, { bytesInOutput }]) => [file, bytesInOutput]))
      const loaded = loadedWith(entry, metafile)
      const startedWith = new Map([...inputs].filter(([file]) => loaded.has(file)))
      return [{ entry, bytes, started: sum(startedWith), inputs, startedWith, source: sources.get(file) as string, metafile }]
    })
    .sort((a, b) => (a.entry < b.entry ? -1 : 1))
}

/** The files that a file imports, and those that they import; what is imported by a call is loaded by that call. */
function loadedWith(file: string, metafile: Metafile, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
    if (kind !== 'dynamic-import' && !external) loadedWith(path, metafile, seen)
  }
  return seen
}

const sum = (inputs: ReadonlyMap<string, number>): number => [...inputs.values()].reduce((all, bytes) => all + bytes, 0)

/** Every file that the cloud starts by its `handler`, from the root. */
export const entries = (): string[] =>
  globSync('functions/**/*.ts', { cwd: root, exclude: ['**/node_modules/**', '**/*.test.ts'] })
    .filter((file) => /^export const (\{[^}]*\bhandler\b[^}]*\}|handler\b)/m.test(readFileSync(join(root, file), 'utf8')))
    .sort()
