import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createGateway } from '../../../servers/gateway/index.js'
import { Clock } from '../../../shared/clock/clock.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { freePort } from '../../support/free-port.js'
import { engineOf } from '../../support/gateway/gateway.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

/** The folder in which Linux lists the open files of this process. */
const OPEN_FILES = '/proc/self/fd'

// fidelity gateway/intercept, same: The log has a hash of the arguments.
// fidelity gateway/intercept, differs: The log has no identity and no latency. Here: It has the grant and the
// latency, so that a test can check them.
// fidelity gateway/policylayer, same: The log has grant, tool, outcome, rule, status, latency, and only the
// names of arguments.
it('the audit and its file have caller, tool and outcome, and only the names of arguments', async () => {
  const understudy = await startUnderstudy()
  const { clock, safebot, journal } = understudy
  const auditFile = join(await mkdtemp(join(tmpdir(), 'audit-')), 'audit.jsonl')
  const policy = engineOf({ default: 'deny', tools: { send_message: {} } }, clock)
  const gateway = await createGateway({ policy, upstream: safebot.mcpUrl, clock, auditFile })
  const heard: unknown[] = []
  gateway.audit.subscribe(entry => heard.push(entry))
  const room = 'http://127.0.0.1:4802/room/AAAAAA#k=secret-key'
  const toolCall = (name: string) =>
    rpc('tools/call', { name, arguments: { url: room, text: 'secret text' } }, 'r1')
  await send(gateway.url, { body: toolCall('send_message') })
  await send(gateway.url, { body: toolCall('next_task') })
  const [reached] = journal.entries({ tool: 'send_message' })
  const common = {
    at: '2026-01-01T00:00:00.000Z',
    ...{ grant: 'default', session: null, requestId: 'r1', argumentKeys: ['url', 'text'], approval: null },
    protocol: null,
    argsHash: reached?.argsHash,
  }
  expect(gateway.audit.entries()).toEqual([
    {
      ...{ seq: 1, ...common, tool: 'send_message', outcome: 'allowed', rule: null, message: null },
      upstream: {
        ended: 'tool_error',
        status: 200,
        latencyMs: expect.any(Number),
        quota: 'kept',
        entry: null,
      },
    },
    {
      ...{ seq: 2, ...common, tool: 'next_task', outcome: 'denied', rule: '(default deny)' },
      ...{ message: expect.any(String), upstream: null },
    },
  ])
  expect(heard).toEqual(gateway.audit.entries())
  const entries = gateway.audit.entries()
  await gateway.close()
  const text = await readFile(auditFile, 'utf8')
  expect(
    text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line)),
  ).toEqual(entries)
  expect(text).not.toContain('secret')
  expect((await stat(auditFile)).mode & 0o077).toBe(0)
})

it.runIf(existsSync(OPEN_FILES))('a gateway that cannot start closes the file of its audit', async () => {
  const auditFile = join(await mkdtemp(join(tmpdir(), 'audit-')), 'audit.jsonl')
  const policy = engineOf({ default: 'deny', tools: {} }, new Clock({ mode: 'manual' }))
  const upstream = `http://127.0.0.1:${await freePort()}/mcp`
  await expect(createGateway({ policy, upstream, auditFile })).rejects.toThrow('cannot be reached')
  const files = await Promise.all(
    (await readdir(OPEN_FILES)).map(name => readlink(join(OPEN_FILES, name)).catch(() => '')),
  )
  expect(files).not.toContain(auditFile)
})
