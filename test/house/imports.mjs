// @ts-check
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Fewer modules than this were read by mistake: a wrong folder, or a pattern that finds no file. */
const FEWEST_MODULES = 300

/** Modules that no other module imports: what the package exports, and what is started by its URL. */
const ENTRIES = [
  'servers/cli/index.ts',
  'servers/understudy/index.ts',
  'servers/understudy/control-client.ts',
  'servers/page/page.tsx',
  'servers/demo/worker-process.ts',
  'servers/instanode/databases/embedded/engine/build-template.ts',
  'servers/instanode/databases/embedded/engine/worker.ts',
]

const BASE = [
  'shared/clock',
  'shared/contract.ts',
  'shared/errors.ts',
  'shared/ids.ts',
  'shared/schemas',
  'shared/util',
]
const EVENTS = [...BASE, 'shared/journal', 'shared/faults', 'shared/overlays', 'shared/world']
const STATE = [...EVENTS, 'shared/records', 'shared/instance.ts']
const SERVERS = ['servers/control', 'servers/gateway', 'servers/instanode', 'servers/safebot']

/**
 * The layers that the modules of each layer may import, besides their own. The first layer whose folder a module is in counts.
 *
 * @type {[layer: string, mayImport: string[]][]}
 */
const LAYERS = [
  ['servers/cli', ['servers/demo', 'servers/rehearsal', 'servers/understudy', ...SERVERS, 'shared']],
  ['servers/demo', ['servers/understudy', ...SERVERS, 'shared']],
  ['servers/rehearsal', ['servers/understudy', ...SERVERS, 'shared']],
  ['servers/understudy', [...SERVERS, 'shared']],
  ['servers/page', [...SERVERS, ...EVENTS]],
  ['servers/control', ['shared']],
  ['servers/gateway', ['shared']],
  ['servers/instanode', ['shared']],
  ['servers/safebot', ['shared']],
  ['shared/mcp', [...STATE, 'shared/http']],
  ['shared/http', STATE],
  ['shared/instance.ts', [...EVENTS, 'shared/records']],
  ['shared/records', EVENTS],
  ['shared/journal', BASE],
  ['shared/faults', BASE],
  ['shared/overlays', BASE],
  ['shared/world', BASE],
  ...BASE.map(layer => /** @type {[string, string[]]} */ ([layer, BASE])),
]

/**
 * The imports that are forbidden within a layer.
 *
 * @type {{ from: RegExp, to: RegExp, why: string }[]}
 */
const FORBIDDEN = [
  {
    from: /^servers\/(instanode|safebot)\/domain\//,
    to: /^(shared\/(mcp|http)\/|shared\/records\/(?!(records|partition|transaction)\.ts)|servers\/\w+\/(tools|http|client|index\.ts|control\.ts|world\.ts))/,
    why: 'the domain knows no transport, no SQL and none of its callers',
  },
  {
    from: /^servers\/(instanode|safebot)\/domain\//,
    to: /^servers\/\w+\/databases\/(?!provider\.ts)/,
    why: 'the domain knows the interface of databases, not how they work',
  },
  {
    from: /^servers\/(instanode|safebot)\/tools\//,
    to: /^servers\/\w+\/(http|client|databases)\//,
    why: 'tools call the service',
  },
  {
    from: /^servers\/(instanode|safebot)\/http\//,
    to: /^servers\/\w+\/(tools|client|databases)\//,
    why: 'the HTTP API calls the service and the domain',
  },
  {
    from: /^servers\/(instanode|safebot)\/(service|contract|limits)\.ts$/,
    to: /^servers\/\w+\/(tools|http|client|index\.ts)/,
    why: 'the service is what tools and the HTTP API see',
  },
  {
    from: /^servers\/gateway\/policy\//,
    to: /^servers\/gateway\/(?!policy\/)/,
    why: 'the policy languages and the engine know no gateway',
  },
]

/** The page is a program for browsers: of the servers it takes types alone. */
const TYPES_ALONE = { from: /^servers\/page\//, to: /^servers\/(?!page\/)/ }

/**
 * @typedef {object} Import
 * @property {string} to path of the imported module, from the root
 * @property {boolean} types whether types alone are imported
 */

/**
 * Reads the import graph of `servers/` and `shared/`.
 *
 * @param {string} root of the project
 * @returns {Map<string, Import[]>} the imports of each module, by its path from the root
 */
export function readGraph(root) {
  const paths = ['servers', 'shared'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .map(name => join(folder, name).replaceAll('\\', '/')),
  )
  const known = new Set(paths)
  return new Map(
    paths.map(path => {
      const source = readFileSync(join(root, path), 'utf8')
      const found = source.matchAll(
        /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'/gm,
      )
      const imports = [...found].flatMap(([, type, from, effect, dynamic]) => {
        const target = normalize(join(dirname(path), from ?? effect ?? dynamic ?? ''))
        const base = target.replaceAll('\\', '/').replace(/\.js$/, '')
        const to = [`${base}.ts`, `${base}.tsx`].find(candidate => known.has(candidate))
        return to === undefined ? [] : [{ to, types: type !== undefined }]
      })
      return [path, imports]
    }),
  )
}

/**
 * Checks an import graph against the layers.
 *
 * @param {Map<string, Import[]>} graph
 * @param {{ fewest?: number, entries?: string[] }} [options] for tests: the number of modules and the entries
 * @returns {string[]} the problems, a line each
 */
export function checkImports(graph, { fewest = FEWEST_MODULES, entries = ENTRIES } = {}) {
  const problems = []
  if (graph.size < fewest) problems.push(`only ${graph.size} modules were read, expected at least ${fewest}`)
  for (const [from, imports] of graph) {
    for (const { to, types } of imports) {
      const why = forbidden(from, to, types)
      if (why !== undefined) problems.push(`${from} imports ${to}: ${why}`)
    }
  }
  for (const circle of circles(graph)) problems.push(`import circle: ${circle.join(' -> ')}`)
  for (const path of unreached(graph, entries))
    problems.push(`${path} is not reached from any entry: delete it, or name it as an entry`)
  return problems
}

/**
 * @param {string} from
 * @param {string} to
 * @param {boolean} types
 * @returns {string | undefined} why the import is forbidden
 */
function forbidden(from, to, types) {
  const layer = LAYERS.find(([folder]) => isIn(from, folder))
  if (layer === undefined) return 'its folder is in no layer: add the folder to LAYERS'
  const [folder, mayImport] = layer
  if (!isIn(to, folder) && !mayImport.some(other => isIn(to, other)))
    return `${folder} may import ${mayImport.join(', ')}`
  if (!types && TYPES_ALONE.from.test(from) && TYPES_ALONE.to.test(to))
    return 'the page imports types alone from servers'
  return FORBIDDEN.find(rule => rule.from.test(from) && rule.to.test(to))?.why
}

/**
 * @param {string} path
 * @param {string} layer a folder, or a file
 */
function isIn(path, layer) {
  return path === layer || path.startsWith(`${layer}/`)
}

/**
 * Finds import circles, each once, by walking the graph depth first.
 *
 * @param {Map<string, Import[]>} graph
 * @returns {string[][]} the modules of each circle, the first one again at its end
 */
function circles(graph) {
  /** @type {string[][]} */
  const found = []
  /** @type {string[]} */
  const path = []
  const done = new Set()
  /** @param {string} module */
  const visit = module => {
    const start = path.indexOf(module)
    if (start >= 0) {
      found.push([...path.slice(start), module])
      return
    }
    if (done.has(module)) return
    path.push(module)
    for (const { to } of graph.get(module) ?? []) visit(to)
    path.pop()
    done.add(module)
  }
  for (const module of graph.keys()) visit(module)
  return found
}

/**
 * @param {Map<string, Import[]>} graph
 * @param {string[]} entries
 * @returns {string[]} the modules that no entry imports, directly or not
 */
function unreached(graph, entries) {
  const reached = new Set(entries)
  for (const module of reached) for (const { to } of graph.get(module) ?? []) reached.add(to)
  return [...graph.keys()].filter(module => !reached.has(module))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const graph = readGraph(process.argv[2] ?? '.')
  const problems = checkImports(graph)
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  process.stderr.write(`imports: ${graph.size} modules, ${problems.length} problems\n`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
