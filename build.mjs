// @ts-check
import { execFile } from 'node:child_process'
import { copyFile, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as esbuild from 'esbuild'
import { runSteps } from './build-steps.mjs'

const ROOT = fileURLToPath(new URL('.', import.meta.url))
const OUT = join(ROOT, 'dist')
const ENGINE = 'servers/instanode/databases/embedded/engine'
const PAGE = 'servers/page'

/** The installed packages, the compiler options, and this script. */
const SETUP = [
  'build.mjs',
  'build-steps.mjs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
]
const SOURCES = ['servers', 'shared', `!${PAGE}`]

/** Packages that become part of the command. Any other package is loaded when its import runs. */
const BUNDLED = [
  '@modelcontextprotocol/sdk',
  '@noble/ciphers',
  'ajv',
  'ajv-formats',
  'commander',
  'ipaddr.js',
  'jose',
  'nanoid',
  'zod',
  'zod-openapi',
]

/** @type {import('./build-steps.mjs').Step[]} */
const STEPS = [
  {
    name: 'compile',
    does: 'compile TypeScript',
    inputs: [...SETUP, ...SOURCES],
    run: staging => node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', staging),
  },
  {
    name: 'template',
    does: 'create the database template',
    inputs: [...SETUP, ...['build-template', 'template'].map(name => `${ENGINE}/${name}.ts`)],
    run: staging => node(join(OUT, ENGINE, 'build-template.js'), join(staging, ENGINE)),
  },
  { name: 'command', does: 'bundle the command', inputs: [...SETUP, ...SOURCES], run: bundleCommand },
  { name: 'page', does: 'bundle the page', inputs: [...SETUP, 'servers', 'shared'], run: bundlePage },
]

/**
 * Runs a program under Node.
 *
 * @param {string[]} args the program and its arguments
 * @throws {Error} with the output of the program if its exit code is not 0
 */
async function node(...args) {
  try {
    await promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const {
      stdout = '',
      stderr = '',
      message,
    } = /** @type {import('node:child_process').ExecFileException} */ (error)
    throw new Error(`${stdout}${stderr}`.trim() || message, { cause: error })
  }
}

/**
 * Bundles the command: one file of all that it needs to start, and one for each part that it loads later.
 *
 * An MCP host waits for a stdio server that it has just started. Most of that wait is Node reading some 250 modules.
 *
 * @param {string} staging
 */
async function bundleCommand(staging) {
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: 'servers/cli/index.ts', out: 'cli' }],
    outdir: join(staging, 'servers'),
    chunkNames: 'cli-[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // A bundled CommonJS package requires modules of Node.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
    plugins: [externalPackages, ownUrls],
  })
}

/**
 * Bundles the page of the control plane: one script, one style sheet, and two files as they are.
 *
 * @param {string} staging
 */
async function bundlePage(staging) {
  const outdir = join(staging, PAGE)
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [
      { in: `${PAGE}/page.tsx`, out: 'page' },
      { in: `${PAGE}/styles/page.css`, out: 'page' },
    ],
    outdir,
    // Calls of h() are shorter than calls of the JSX runtime. Together that is 2 kB.
    tsconfigRaw: { compilerOptions: { jsx: 'react', jsxFactory: 'h', jsxFragmentFactory: 'Fragment' } },
    inject: [fileURLToPath(import.meta.resolve('preact'))],
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    // The first versions that understand `light-dark()` in a style sheet.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    legalComments: 'none',
    logLevel: 'silent',
  })
  for (const name of ['page.html', 'icon.svg']) await copyFile(join(ROOT, PAGE, name), join(outdir, name))
}

/**
 * Leaves out packages that are not to be bundled. The imports of a bundled package are bundled with it.
 *
 * @type {esbuild.Plugin}
 */
const externalPackages = {
  name: 'external-packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      const bundled = BUNDLED.some(
        name =>
          path === name ||
          path.startsWith(`${name}/`) ||
          slashed(importer).includes(`/node_modules/${name}/`),
      )
      return kind === 'entry-point' || bundled ? undefined : { path, external: true }
    })
  },
}

/**
 * Keeps the `import.meta.url` of each module: a module finds the files beside its compiled file.
 * All files of the bundle are in `dist/servers`.
 *
 * @type {esbuild.Plugin}
 */
const ownUrls = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const compiled = slashed(relative(join(ROOT, 'servers'), path)).replace(/\.ts$/, '.js')
      const source = await readFile(path, 'utf8')
      const url = `new URL(${JSON.stringify(`./${compiled}`)}, import.meta.url).href`
      return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' }
    })
  },
}

/**
 * Writes a path with slashes, on Windows too.
 *
 * @param {string} path
 */
function slashed(path) {
  return path.replaceAll('\\', '/')
}

try {
  await runSteps(STEPS, { root: ROOT, out: OUT, print: text => process.stderr.write(text) })
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
