import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGrantsFile } from '../../../servers/gateway/grants.js'
import { createGateway } from '../../../servers/gateway/index.js'
import { initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { engineOf, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const OPEN = { default: 'allow', tools: {} }
const CALL = rpc('tools/call', { name: 'list_resources', arguments: {} })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function withGrants(server: 'instanode' | 'safebot' = 'instanode', more: object = {}) {
  const understudy = await startUnderstudy()
  const policy = engineOf(OPEN, understudy.clock)
  const strict = engineOf({ default: 'deny', hide: ['delete_resource'], tools: {} }, understudy.clock)
  const gateway = await startGateway({
    clock: understudy.clock,
    upstream: understudy[server].mcpUrl,
    grants: [
      { label: 'open', token: 'token-of-open', policy },
      { label: 'strict', token: 'token-of-strict', policy: strict },
      { label: 'bare', token: 'token-of-bare' },
    ],
    ...more,
  })
  return { understudy, gateway, url: gateway.url }
}

describe('a grant', () => {
  it.each([
    ['none', undefined, 'Bearer realm="mcp-understudy gateway"'],
    ['an unknown one', 'Bearer nobody', 'error="invalid_token"'],
    ['another scheme', 'Basic dG9rZW4=', 'error="invalid_token"'],
  ])('is required: %s gets 401', async (_, authorization, challenge) => {
    const { understudy, url } = await withGrants()
    for (const method of ['POST', 'GET', 'DELETE']) {
      const { status, headers } = await send(url, {
        method,
        headers: authorization === undefined ? {} : { authorization },
        ...(method === 'POST' && { body: CALL }),
      })
      expect([method, status, headers['www-authenticate']]).toEqual([
        method,
        401,
        expect.stringContaining(challenge),
      ])
    }
    expect(understudy.journal.entries()).toEqual([])
  })

  // fidelity gateway/policylayer, same: A grant is a bearer. A grant without a policy has every call denied.
  // fidelity gateway/policylayer, same: The log calls these denials `(default deny)` and `(no policy)`.
  it('has its own policy, or denies every call', async () => {
    const { url, gateway } = await withGrants()
    const texts: string[] = []
    for (const label of ['open', 'strict', 'bare']) {
      texts.push((await send(url, { headers: bearer(`token-of-${label}`), body: CALL })).body)
    }
    expect(texts.map(text => text.includes('POLICY DENIED'))).toEqual([false, true, true])
    expect(gateway.audit.entries()).toMatchObject([
      { grant: 'open', outcome: 'allowed' },
      { grant: 'strict', outcome: 'denied', rule: '(default deny)' },
      { grant: 'bare', outcome: 'denied', rule: '(no policy)' },
    ])
    const lists = await Promise.all(
      ['open', 'strict'].map(label =>
        send(url, { headers: bearer(`token-of-${label}`), body: rpc('tools/list') }),
      ),
    )
    expect(lists.map(({ body }) => body.includes('delete_resource'))).toEqual([true, false])
  })

  // fidelity gateway/intercept, differs: Over HTTP the caller's `Authorization` and cookies reach the
  // upstream. Here: They do not, because they are credentials of the gateway.
  // fidelity gateway/policylayer, same: The gateway removes the bearer and cookies, and sends a credential of
  // its own to the upstream.
  it('is not sent to the upstream, nor are the caller’s cookies and X-Forwarded-For', async () => {
    const { understudy, url } = await withGrants('instanode', {
      upstreamHeaders: ['Authorization: Bearer understudy-paid-token'],
    })
    const headers = {
      ...bearer('token-of-open'),
      cookie: 'a=b',
      'x-forwarded-for': '203.0.113.9',
      'x-api-key': 'k',
    }
    await send(url, { headers, body: CALL })
    const [entry] = understudy.journal.entries({ tool: 'list_resources' })
    expect(entry?.caller).toBe('acct_paid')
    expect(entry?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1' })
    expect(JSON.stringify(entry)).not.toMatch(/token-of-open|a=b|203\.0\.113\.9|x-api-key/)
  })

  it('owns the sessions that it opened: for other grants they do not exist', async () => {
    const { url } = await withGrants()
    const opened = await send(url, { headers: bearer('token-of-open'), body: initialize() })
    const session = { 'mcp-session-id': String(opened.headers['mcp-session-id']) }
    const status = async (label: string, method = 'POST') => {
      const headers = { ...bearer(`token-of-${label}`), ...session }
      return (await send(url, { method, headers, ...(method === 'POST' && { body: rpc('ping') }) })).status
    }
    expect(await status('open')).toBe(200)
    expect(await status('strict')).toBe(404)
    expect(await status('strict', 'DELETE')).toBe(404)
    expect(await status('open')).toBe(200)
  })
})

describe('without grants', () => {
  // fidelity gateway/tool-page, differs: A limit counts for each agent session. Here: It counts for each
  // grant, because a new session would have new quota.
  it('all callers share one quota, also in a new session', async () => {
    const understudy = await startUnderstudy()
    const limits = [{ counter: 'rooms', window: 'minute', max: 1, scope: 'grant' }]
    const { url } = await inFrontOf(understudy, 'safebot', {
      default: 'allow',
      tools: { create_room: { limits } },
    })
    const made: boolean[] = []
    for (let session = 0; session < 2; session++) {
      const headers = { 'mcp-session-id': await openSession(url) }
      const { body } = await send(url, {
        headers,
        body: rpc('tools/call', { name: 'create_room', arguments: {} }),
      })
      made.push(!body.includes('POLICY DENIED'))
    }
    expect(made).toEqual([true, false])
  })
})

describe('the handle of a caller of Safebot', () => {
  const callerOf = async (handle: 'pass' | 'drop' | 'grant', query = '') => {
    const { understudy, url } = await withGrants('safebot', { handle })
    const headers = { ...bearer('token-of-open'), ...(query === '' && { 'x-safebot-handle': 'ann' }) }
    await send(`${url}${query}`, { headers, body: rpc('tools/list') })
    return understudy.journal.entries()[0]?.caller
  }

  it('passes, is dropped, or is the label of the grant', async () => {
    expect(await callerOf('pass')).toBe('ann')
    expect(await callerOf('pass', '?handle=bob')).toBe('bob')
    expect(await callerOf('drop')).toBe('mcp-local')
    expect(await callerOf('drop', '?handle=bob')).toBe('mcp-local')
    expect(await callerOf('grant')).toBe('open')
  })
})

describe('invalid grants', () => {
  const fileWith = async (text: string) => {
    const path = join(await mkdtemp(join(tmpdir(), 'grants-')), 'grants.json')
    await writeFile(path, text)
    return path
  }

  it.each([
    ['no JSON', '{"grants": [{"token": "secret-token"', 'is not JSON'],
    ['an unknown key', '{"grants": [{"label": "a", "token": "secret-token", "polcy": "x"}]}', '"polcy"'],
    ['no label', '{"grants": [{"token": "secret-token"}]}', 'label is missing'],
    [
      'a token that is none',
      '{"grants": [{"label": "a", "token": "secret token"}]}',
      'not a valid bearer token',
    ],
    ['a token too short', '{"grants": [{"label": "a", "token": "secret"}]}', 'not a valid bearer token'],
    ['nobody', '{"grants": []}', 'grants'],
  ])('are refused in one sentence that shows no token: %s', async (_, text, says) => {
    const refusal = await readGrantsFile(await fileWith(text)).catch(error => error)
    expect(refusal.sentence).toContain(says)
    expect(refusal.sentence).not.toContain('secret')
  })

  it('are refused if two have the same label or the same token', async () => {
    const upstream = 'http://127.0.0.1:9/mcp'
    const grant = (label: string, token: string) => ({ label, token })
    for (const grants of [
      [grant('a', 'secret-1'), grant('a', 'secret-2')],
      [grant('a', 'secret-1'), grant('b', 'secret-1')],
    ]) {
      const refusal = await createGateway({ upstream, grants }).catch(error => error)
      expect(refusal).toMatchObject({ code: 'bad_grants' })
      expect(refusal.sentence).not.toContain('secret')
    }
  })

  it('have paths of policies relative to the file of the grants', async () => {
    const path = await fileWith('{"grants": [{"label": "a", "token": "secret-token", "policy": "p.json"}]}')
    expect(await readGrantsFile(path)).toMatchObject([{ policy: join(path, '../p.json') }])
  })
})
