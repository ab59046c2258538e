import { readdir, readFile, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { build } from 'esbuild'

const OUT = 'dist/servers'

/** Packages to put into the bundle; whatever else is imported is loaded when its import is reached. */
const BUNDLED = [
  '@modelcontextprotocol/sdk',
  '@noble/ciphers',
  'ajv',
  'ajv-formats',
  'ipaddr.js',
  'jose',
  'nanoid',
  'zod',
  'zod-openapi',
]

/** What a bundled package imports is bundled with it. */
const external = {
  name: 'external',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      const taken = BUNDLED.some(
        name =>
          path === name ||
          path.startsWith(`${name}/`) ||
          slashed(importer).includes(`/node_modules/${name}/`),
      )
      return kind === 'entry-point' || taken ? undefined : { path, external: true }
    })
  },
}

/** A module that looks for files beside it finds them where they were: every file of the bundle stands in `OUT`. */
const ownUrl = {
  name: 'own-url',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/].*\.js$/ }, async ({ path }) => {
      if (slashed(path).includes('/node_modules/')) return undefined
      const place = JSON.stringify(`./${slashed(relative(OUT, path))}`)
      const source = await readFile(path, 'utf8')
      return { contents: source.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`) }
    })
  },
}

/** As on every platform but one. */
function slashed(path) {
  return path.replaceAll('\\', '/')
}

/**
 * Makes the command one file of what it needs to start, and one for each part it loads later.
 *
 * An MCP host waits for a stdio server it has just started, and most of that wait is Node reading some 250 modules.
 */
for (const name of await readdir(OUT)) if (/^cli-.*\.js$/.test(name)) await rm(join(OUT, name))
await build({
  entryPoints: [join(OUT, 'cli.js')],
  outdir: OUT,
  allowOverwrite: true,
  chunkNames: 'cli-[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  plugins: [external, ownUrl],
})
