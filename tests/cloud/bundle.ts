import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** As SST bundles a function of Node for the cloud; the same entry gives the same bytes. */
const LIKE_SST: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2024',
  mainFields: ['module', 'main'],
  external: ['sharp', 'pg-native'],
  keepNames: true,
  minify: true,
  sourcemap: 'linked',
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

/** One function as it is uploaded. */
export interface Bundle {
  /** Of the source, from the root: `functions/memories/add.ts`. */
  entry: string
  /** Of the module that exports `handler`; null when nothing was written. */
  path: string | null
  bytes: number
  /** Every file that is in it, from the root, with the bytes that are left of it. */
  inputs: ReadonlyMap<string, number>
  metafile: Metafile
}

/** Bundles these entries, each by itself, exactly as SST does; into `folder`, which nothing of is deleted, or without writing. */
export async function bundle(entries: readonly string[], folder: string | null = null): Promise<Bundle[]> {
  const { metafile } = await build({
    ...LIKE_SST,
    // Beside the bundle, and costly to make.
    sourcemap: folder === null ? false : 'linked',
    entryPoints: [...entries],
    absWorkingDir: root,
    outbase: root,
    outdir: folder ?? join(root, 'never-written'),
    write: folder !== null,
    metafile: true,
    logLevel: 'silent',
  })
  return Object.entries(metafile.outputs)
    .flatMap(([path, { entryPoint, bytes, inputs }]) => {
      if (entryPoint === undefined) return []
      const held = new Map(Object.entries(inputs).map(([file, { bytesInOutput }]) => [file, bytesInOutput]))
      return [{ entry: entryPoint, path: folder === null ? null : join(root, path), bytes, inputs: held, metafile }]
    })
    .sort((a, b) => (a.entry < b.entry ? -1 : 1))
}

/** Every file that the cloud starts by its `handler`, from the root. */
export const entries = (): string[] =>
  globSync('functions/**/*.ts', { cwd: root, exclude: ['**/node_modules/**', '**/*.test.ts'] })
    .filter((file) => /^export const (\{[^}]*\bhandler\b[^}]*\}|handler\b)/m.test(readFileSync(join(root, file), 'utf8')))
    .sort()
