import { describe, expect, it } from 'vitest'
import { Channels } from '../../../../servers/instanode/databases/embedded/session/channels.js'
import {
  LockTimeout,
  SessionLock,
} from '../../../../servers/instanode/databases/embedded/session/engine-lifecycle.js'
import {
  Settings,
  startupSettings,
} from '../../../../servers/instanode/databases/embedded/session/settings.js'
import {
  onlyFreesSpace,
  Statements,
  withoutUserChange,
} from '../../../../servers/instanode/databases/embedded/session/statements.js'
import { type Frame, frame } from '../../../../servers/instanode/databases/embedded/wire/frames.js'
import { Clock } from '../../../../shared/clock/clock.js'

const message = (type: string, ...parts: (string | Buffer)[]): Frame => ({
  type,
  bytes: frame(type, ...parts),
})
const parse = (name: string, sql: string) => message('P', name, sql, Buffer.alloc(2))
const bind = (name: string) => message('B', '', name, Buffer.alloc(6))
const shown = (messages: Buffer[]) =>
  messages.map(
    bytes => bytes.toString('latin1', 0, 1) + bytes.toString('latin1', 5).replaceAll('\0', ' ').trimEnd(),
  )

describe('statements', () => {
  it('gives names a private form, and does not change the unnamed one', () => {
    const { messages } = new Statements('me_').rewrite([
      parse('s', 'SELECT 1'),
      bind('s'),
      parse('', 'SELECT 2'),
    ])
    expect(shown(messages)).toEqual(['Pme_s SELECT 1', 'B me_s', 'P SELECT 2'])
  })

  it('parses again once what the session has lost', () => {
    const statements = new Statements('me_')
    statements.rewrite([parse('s', 'SELECT 1'), parse('', 'SELECT 2')])
    statements.lostAll()
    const { messages, restored } = statements.rewrite([bind('s'), bind(''), bind('s')])
    expect(restored).toEqual(['s', ''])
    expect(shown(messages).slice(0, 2)).toEqual(['Pme_s SELECT 1', 'P SELECT 2'])
    expect(statements.rewrite([bind('s')]).restored).toEqual([])
  })

  it('keeps what a failed batch has parsed, and forgets the rest', () => {
    const statements = new Statements('me_')
    statements.noteFailed(statements.rewrite([parse('a', 'SELECT 1'), parse('b', 'SELEC 2')]), 1)
    statements.lostAll()
    expect(statements.rewrite([bind('a'), bind('b')]).restored).toEqual(['a'])
  })

  it('forgets the short name of a long one that the client closes', () => {
    const statements = new Statements('me_')
    const long = 'x'.repeat(70)
    const [made = ''] = shown(statements.rewrite([parse(long, 'SELECT 1')]).messages)
    const short = made.slice(1, made.indexOf(' '))
    expect(statements.withoutPrefix(`"${short}"`)).toBe(`"${long.slice(0, 63)}"`)
    statements.rewrite([message('C', Buffer.from('S'), Buffer.from(`${long}\0`))])
    expect(statements.withoutPrefix(`"${short}"`)).not.toContain('x')
  })

  it('handles DEALLOCATE for its own names only', () => {
    const statements = new Statements('me_')
    statements.rewrite([parse('_pg3_0', 'SELECT 1')])
    expect(shown(statements.rewrite([message('Q', 'DEALLOCATE "_pg3_0";')]).messages)).toEqual([
      'QDEALLOCATE "me__pg3_0"',
    ])
    expect(shown(statements.rewrite([message('Q', 'DEALLOCATE sql_level')]).messages)).toEqual([
      'QDEALLOCATE sql_level',
    ])
  })
})

describe('the session lock', () => {
  it('is given in the order of requests, and a request that waits too long fails', async () => {
    const clock = new Clock({ mode: 'manual' })
    const turn = new SessionLock<string>(clock)
    await turn.acquire('a')
    await turn.acquire('a')
    const order: string[] = []
    const waits = ['b', 'c'].map(who => turn.acquire(who).then(() => order.push(who)))
    const impatient = turn.acquire('d', 100)
    const refused = expect(impatient).rejects.toBeInstanceOf(LockTimeout)
    await clock.advance(100)
    await refused
    turn.release()
    turn.release()
    await Promise.all(waits)
    expect(order).toEqual(['b', 'c'])
    expect(turn.holder).toBe('c')
    turn.release()
    expect(turn.free).toBe(true)
  })

  it('does not count the time in which the engine opens', async () => {
    const clock = new Clock({ mode: 'manual' })
    let opening = true
    const turn = new SessionLock<string>(clock, () => opening)
    await turn.acquire('a')
    const refused = expect(turn.acquire('b', 100)).rejects.toBeInstanceOf(LockTimeout)
    await clock.advance(150)
    opening = false
    expect(clock.pending).toBe(1)
    await clock.advance(50)
    await refused
  })
})

describe('settings', () => {
  it('lists the custom names that it has seen, and restores any value', () => {
    const settings = new Settings(new Map())
    expect(settings.areDefaults).toBe(true)
    settings.noteSql(`SET LOCAL app.tenant = 'x'; SELECT set_config('Other.Name', 'y', false)`)
    settings.noteCompleted('SET')
    expect(settings.areDefaults).toBe(false)
    expect(settings.listSql).toContain('app.tenant')
    expect(settings.listSql).toContain('other.name')
    settings.save([
      ['app.tenant', `it's \\ here`],
      ['other.name', null],
      ['role', 'none'],
    ])
    expect(settings.restoreSql).toBe(`SELECT set_config( E'app.tenant',  E'it\\'s \\\\ here', false)`)
    settings.save([])
    expect(settings.areDefaults).toBe(true)
  })

  it('reads start-up options as PostgreSQL does', () => {
    const parameters = {
      user: 'u',
      database: 'd',
      options: String.raw`-c a.b=1 --work-mem=2MB -cc=x\ y`,
      TimeZone: 'UTC',
    }
    expect([...startupSettings(new Map(Object.entries(parameters)))]).toEqual([
      ['a.b', '1'],
      ['work_mem', '2MB'],
      ['c', 'x y'],
      ['TimeZone', 'UTC'],
    ])
  })
})

describe('channels', () => {
  it('follows LISTEN and UNLISTEN, quoted or folded', () => {
    const channels = new Channels<string>()
    channels.record('a', 'LISTEN Jobs; listen "Jobs"')
    channels.record('b', 'LISTEN jobs')
    expect(channels.names).toEqual(['jobs', 'Jobs'])
    expect(channels.record('a', 'UNLISTEN jobs')).toBe(true)
    expect([...channels.listeners('jobs')]).toEqual(['b'])
    channels.record('b', 'UNLISTEN *')
    expect(channels.listenSql).toBe('LISTEN "Jobs"')
  })
})

describe('policy', () => {
  it.each([
    ['DELETE FROM t', true],
    ['begin; truncate t; commit;', true],
    ['VACUUM FULL t', true],
    ['DELETE FROM t; INSERT INTO t VALUES (1)', false],
    ['WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x', false],
    ['CREATE TABLE t ()', false],
  ])('does %s only free space? %s', (sql, frees) => {
    expect(onlyFreesSpace([sql])).toBe(frees)
  })

  it.each([
    ['set session authorization postgres', false],
    ['SET LOCAL SESSION AUTHORIZATION postgres', false],
    ['SET session_authorization TO postgres', false],
    ['SET SESSION AUTHORIZATION DEFAULT', true],
    ['SET ROLE postgres', true],
  ])('does %s pass? %s', (sql, passes) => {
    for (const asked of [message('Q', sql), parse('s', sql)])
      expect(withoutUserChange(asked) === asked).toBe(passes)
  })
})
