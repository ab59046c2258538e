import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkImports, type Import, readGraph } from './imports.mjs'

const root = join(import.meta.dirname, '../..')
const ENTRY = 'servers/cli/index.ts'

/** A graph of which each module is written `'path': ['imported', …]`. */
function graphOf(modules: Record<string, string[]>): Map<string, Import[]> {
  return new Map(
    Object.entries(modules).map(([path, imports]) => [path, imports.map(to => ({ to, types: false }))]),
  )
}

function problemsOf(modules: Record<string, string[]>): string[] {
  return checkImports(graphOf(modules), { fewest: 0, entries: [ENTRY] })
}

describe('the import rules', () => {
  it('are kept by this project', () => {
    expect(checkImports(readGraph(root))).toEqual([])
  })

  it('allow an import of a lower layer', () => {
    expect(problemsOf({ [ENTRY]: ['shared/ids.ts'], 'shared/ids.ts': [] })).toEqual([])
  })

  it.each([
    ['servers/control/routes.ts', 'servers/instanode/view.ts'],
    ['servers/safebot/index.ts', 'servers/understudy/index.ts'],
    ['shared/journal/journal.ts', 'shared/mcp/host.ts'],
    ['shared/util/check.ts', 'servers/cli/index.ts'],
    ['servers/safebot/domain/tasks.ts', 'servers/safebot/tools/tasks.ts'],
    ['servers/instanode/domain/reaper.ts', 'shared/http/listener.ts'],
    ['servers/instanode/domain/reaper.ts', 'shared/records/postgres-records.ts'],
    ['servers/instanode/domain/reaper.ts', 'servers/instanode/databases/embedded/spare.ts'],
    ['servers/instanode/tools/create.ts', 'servers/instanode/http/index.ts'],
    ['servers/gateway/policy/engine.ts', 'servers/gateway/audit.ts'],
    ['servers/page/page.tsx', 'servers/control/control-plane.ts'],
    ['servers/unknown/file.ts', 'shared/ids.ts'],
  ])('refuse that %s imports %s', (from, to) => {
    const problems = problemsOf({ [ENTRY]: [from], [from]: [to], [to]: [] })
    expect(problems).toContainEqual(expect.stringMatching(`^${from} imports ${to}: `))
  })

  it('allow the page to import types of a server', () => {
    const graph = graphOf({ [ENTRY]: [], 'servers/control/schemas/clock.ts': [] })
    graph.set('servers/page/head.tsx', [{ to: 'servers/control/schemas/clock.ts', types: true }])
    const entries = [ENTRY, 'servers/page/head.tsx']
    expect(checkImports(graph, { fewest: 0, entries })).toEqual([])
  })

  it('refuse a circle, and name its modules', () => {
    const problems = problemsOf({
      [ENTRY]: ['shared/util/one.ts'],
      'shared/util/one.ts': ['shared/util/two.ts'],
      'shared/util/two.ts': ['shared/util/one.ts'],
    })
    expect(problems).toEqual([
      'import circle: shared/util/one.ts -> shared/util/two.ts -> shared/util/one.ts',
    ])
  })

  it('refuse a module that no entry reaches', () => {
    expect(problemsOf({ [ENTRY]: [], 'shared/util/lost.ts': [] })).toEqual([
      'shared/util/lost.ts is not reached from any entry: delete it, or name it as an entry',
    ])
  })

  it('end the lint command with 1 when fewer than 300 modules were read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'imports-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, 'servers/cli'), { recursive: true })
    await mkdir(join(folder, 'shared'))
    await writeFile(join(folder, ENTRY), '')
    const lint = spawnSync(process.execPath, [join(root, 'test/house/imports.mjs'), folder], {
      encoding: 'utf8',
    })
    expect(lint.stderr).toContain('only 1 modules were read, expected at least 300')
    expect(lint.status).toBe(1)
  })
})
