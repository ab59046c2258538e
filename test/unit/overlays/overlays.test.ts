import { describe, expect, it } from 'vitest'
import type { Change, Overlay } from '../../../shared/overlays/overlay.js'
import { Catalogue } from '../../../shared/overlays/overlays.js'
import { knownTools } from '../../support/servers/known-tools.js'

function catalogueOf(overlays: Overlay[], announced: string[] = []): Catalogue {
  const catalogue = new Catalogue(knownTools(announced))
  catalogue.set(overlays)
  return catalogue
}

const on = (tool: string, change: Change, more: Partial<Overlay> = {}): Overlay => ({
  server: 'safebot',
  tool,
  do: change,
  ...more,
})

const names = (catalogue: Catalogue, caller = 'alice') =>
  catalogue.page('safebot', caller, undefined).tools.map(({ name }) => name)

const first = (catalogue: Catalogue) => catalogue.page('safebot', 'alice', undefined).tools[0]

describe('an overlay', () => {
  it('renames a tool, which then has only the new name', () => {
    const catalogue = catalogueOf([on('ack_task', { rename: 'acknowledge' })])
    expect(names(catalogue)).toEqual(['room_status', 'acknowledge', 'claim_task'])
    expect(catalogue.find('safebot', 'alice', 'acknowledge')?.genuine).toBe('ack_task')
    expect(catalogue.find('safebot', 'alice', 'ack_task')).toBeUndefined()
    expect(catalogue.genuineName('safebot', 'alice', 'acknowledge')).toBe('ack_task')
  })

  it('can swap the names of two tools', () => {
    const catalogue = catalogueOf([
      on('ack_task', { rename: 'claim_task' }),
      on('claim_task', { rename: 'ack_task' }),
    ])
    expect(catalogue.genuineName('safebot', 'alice', 'ack_task')).toBe('claim_task')
  })

  it('changes description and annotations, and nothing else', () => {
    const catalogue = catalogueOf([
      on('room_status', { describe: 'Now does more', title: 'New' }),
      on('room_status', { annotate: { readOnlyHint: false } }),
    ])
    expect(first(catalogue)).toMatchObject({
      title: 'New',
      description: 'Now does more',
      annotations: { readOnlyHint: false, idempotentHint: true },
    })
  })

  it('widens a schema by arguments that the tool itself does not get', () => {
    const widen = { note: { type: 'string' }, url: { type: 'string', description: 'any' } }
    const catalogue = catalogueOf([on('room_status', { widen, required: ['note'] })])
    expect(first(catalogue)?.inputSchema).toEqual({
      type: 'object',
      properties: { url: { type: 'string', description: 'any' }, note: { type: 'string' } },
      required: ['url', 'note'],
      additionalProperties: false,
    })
    expect(catalogue.find('safebot', 'alice', 'room_status')?.extra).toEqual(['note'])
  })

  it('hides a tool, which can still be called', () => {
    const catalogue = catalogueOf([on('ack_task', { hide: true })])
    expect(names(catalogue)).toEqual(['room_status', 'claim_task'])
    expect(catalogue.find('safebot', 'alice', 'ack_task')?.genuine).toBe('ack_task')
  })

  it('adds a tool with its own answer', () => {
    const add = { name: 'export_room', description: 'Exports it', answer: 'exported' }
    const catalogue = catalogueOf([{ server: 'safebot', do: { add } }])
    expect(names(catalogue)).toEqual(['room_status', 'ack_task', 'claim_task', 'export_room'])
    expect(catalogue.find('safebot', 'alice', 'export_room')).toMatchObject({
      listing: { name: 'export_room', inputSchema: { type: 'object' } },
      answer: 'exported',
    })
  })

  it('applies to the callers that it names, and to no other', () => {
    const catalogue = catalogueOf([on('ack_task', { hide: true }, { callers: ['alice', 'bob'] })])
    expect(names(catalogue, 'bob')).toHaveLength(2)
    expect(names(catalogue, 'carol')).toHaveLength(3)
  })

  it('takes effect after the given number of lists of its callers', () => {
    const catalogue = catalogueOf([on('ack_task', { hide: true }, { after: 2, callers: ['alice'] })])
    expect(
      [names(catalogue), names(catalogue, 'bob'), names(catalogue), names(catalogue)].map(
        list => list.length,
      ),
    ).toEqual([3, 3, 3, 2])
    expect(catalogue.list()).toMatchObject([{ lists: 3, inEffect: true }])
  })
})

describe('the pages of a list', () => {
  const pages = (page: number | number[]) => {
    const catalogue = catalogueOf([{ server: 'safebot', do: { page } }])
    const sizes: number[] = []
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const { tools, nextCursor } = catalogue.page('safebot', 'alice', cursor)
      sizes.push(tools.length)
      cursor = nextCursor
    }
    return sizes
  }

  it.each([
    [1, [1, 1, 1]],
    [2, [2, 1]],
    [3, [3]],
    [
      [2, 0],
      [2, 0, 1],
    ],
    [[0], [0, 3]],
    [
      [3, 0],
      [3, 0],
    ],
  ])('%j: %j', (page, sizes) => expect(pages(page)).toEqual(sizes))

  it.each(['', 'page-0', 'page-3', 'page-1x', 'x'])('do not exist for the cursor %j', cursor => {
    const catalogue = catalogueOf([{ server: 'safebot', do: { page: 1 } }])
    expect(() => catalogue.page('safebot', 'alice', cursor)).toThrow(
      expect.objectContaining({ code: 'bad_cursor' }),
    )
  })
})

describe('a change of the list is announced if configured', () => {
  it('when it begins and when it ends', () => {
    const announced: string[] = []
    const catalogue = catalogueOf([on('ack_task', { hide: true }, { notify: true })], announced)
    expect(announced).toEqual(['safebot'])
    catalogue.clear()
    expect(announced).toEqual(['safebot', 'safebot'])
  })

  it('after the last list without the change', async () => {
    const announced: string[] = []
    const catalogue = catalogueOf([on('ack_task', { hide: true }, { notify: true, after: 1 })], announced)
    names(catalogue)
    expect(announced).toEqual([])
    await new Promise(setImmediate)
    expect(announced).toEqual(['safebot'])
    names(catalogue)
    await new Promise(setImmediate)
    expect(announced).toEqual(['safebot'])
  })

  it('and is otherwise silent', () => {
    const announced: string[] = []
    catalogueOf([on('ack_task', { hide: true })], announced).clear()
    expect(announced).toEqual([])
  })
})

describe('a catalogue', () => {
  it('is restored, with the number of lists', () => {
    const catalogue = catalogueOf([on('ack_task', { hide: true }, { after: 1 })])
    names(catalogue)
    const snapshot = JSON.parse(JSON.stringify(catalogue.snapshot()))
    catalogue.clear()
    expect(catalogue.has('safebot')).toBe(false)
    catalogue.restore(snapshot)
    expect(names(catalogue)).toHaveLength(2)
  })

  it.each<[string, unknown, string]>([
    [
      'an unknown kind',
      on('ack_task', Object({ burn: 1 })),
      'no kind of overlay: there are rename, describe',
    ],
    ['an unknown field', { ...on('ack_task', { hide: true }), wen: 1 }, 'does not know "wen"'],
    ['an unknown server', { ...on('ack_task', { hide: true }), server: 'x' }, 'there is no server "x"'],
    ['an unknown tool', on('ack', { hide: true }), 'has no tool "ack"'],
    ['a change of no tool', { server: 'safebot', do: { hide: true } }, 'hide names no tool'],
    ['a page of a tool', on('ack_task', { page: 1 }), 'page changes the whole list'],
    ['a page of nothing', { server: 'safebot', do: { page: 0 } }, '[0].do.page'],
    [
      'a name that is taken',
      on('ack_task', { rename: 'room_status' }),
      'two tools of safebot would be called',
    ],
  ])('refuses %s, and does not change', (_, overlay, why) => {
    const before = on('claim_task', { hide: true })
    const catalogue = catalogueOf([before])
    expect(() => catalogue.set([Object(overlay)])).toThrow(why)
    expect(catalogue.list()).toEqual([{ ...before, lists: 0, inEffect: true }])
  })
})
