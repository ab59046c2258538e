import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { command, type Rehearsal, rehearse, url } from '../../../servers/rehearsal/index.js'
import { COMMAND, Command } from '../../support/clients/command.js'
import { policyFile } from '../../support/gateway/rehearse.js'

const POLICY = policyFile('intercept/safebot.claim-task.yaml')
const DIALECT = 'intercept@2026-04'

/** Rehearses through a program of Node.js. Words behind it are its arguments. */
function through(program: string, { pipes = false, args = ['{port}'] } = {}): Promise<Rehearsal> {
  const template = [process.execPath, '-e', program, ...args]
  return rehearse({
    policy: POLICY,
    dialect: DIALECT,
    via: command({ template, policyFile: POLICY, pipes }),
    watchMs: 0,
  })
}

/** Rehearses through a gateway that answers every request like this. */
async function throughServer(answer: RequestListener): Promise<Rehearsal> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return rehearse({ policy: POLICY, dialect: DIALECT, via: url(`http://127.0.0.1:${port}/mcp`), watchMs: 0 })
}

describe('a gateway that is started', () => {
  it('is ended with all processes of its group', async () => {
    const gateway = `"${process.execPath}" "${COMMAND}" gateway {policy} --upstream {upstream} --port {port}`
    const shell = ['sh', '-c', `${gateway}; true`]
    const { code, stdout } = await new Command(['rehearse', POLICY, '--watch', '0', '--', ...shell]).exit
    expect(stdout).toMatch(/ 0 wrong, /)
    expect(code).toBe(0)
  })

  it('has a temporary folder of its own for HOME and {tmp}', async () => {
    const program = 'console.error("folders:", process.env.HOME, process.argv[1]); process.exit(3)'
    const error = await through(program, { args: ['{tmp}', '{port}'] }).catch(String)
    const [, home = '', folder = ''] = /folders: (\S+) ([^\s:]+)/.exec(String(error)) ?? []
    expect(home).toContain('understudy-gateway-')
    expect(folder).toBe(home)
    expect(existsSync(home)).toBe(false)
  })

  it('gets a free port for {port}, also when it speaks on its pipes', async () => {
    const program = 'console.error("port:", process.argv[1]); process.exit(3)'
    await expect(through(program, { pipes: true })).rejects.toThrow(/and said: port: \d{4,5}: check/)
  })

  it('is refused without a command, and leaves no folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'no-command-'))
    onTestFinished(() => {
      vi.unstubAllEnvs()
      rmSync(folder, { recursive: true })
    })
    vi.stubEnv('TMPDIR', folder)
    await expect(rehearse({ policy: POLICY, via: command({ template: [] }) })).rejects.toThrow(
      'there is no command behind --: give one, e.g. -- my-gateway --port {port} {upstream}',
    )
    expect(readdirSync(folder)).toEqual([])
  })

  it('that does not exist is reported in one sentence', async () => {
    const via = command({ template: ['no-such-program', '{port}'], policyFile: POLICY })
    await expect(rehearse({ policy: POLICY, via })).rejects.toThrow(
      'the gateway "no-such-program" was not found: check the command behind --',
    )
  })

  it('that refuses its policy is quoted, with a remedy for the policy', async () => {
    const program = 'console.error("policy.yaml:3: unknown key tols"); process.exit(1)'
    await expect(through(program)).rejects.toThrow(
      /ended with code 1, and said: policy\.yaml:3: unknown key tols: the gateway refuses its policy: name a policy in a language/,
    )
  })

  it('that prints text to its pipes is quoted', async () => {
    const program = "console.log('<html>Welcome</html>'); console.error('no licence'); process.exit(3)"
    await expect(through(program, { pipes: true, args: [] })).rejects.toThrow(
      /did not answer initialize: the gateway ended with code 3, and said: no licence \| <html>Welcome<\/html>: check that it speaks MCP on its pipes/,
    )
  })

  it('that ends during the rehearsal ends it, and the report has its last output', async () => {
    const program = `
      const answer = ({ id, method }) => {
        if (method === 'initialize') console.log(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
        else if (id !== undefined) { console.error('out of licences'); process.exit(4) }
      }
      require('node:readline').createInterface({ input: process.stdin }).on('line', line => answer(JSON.parse(line)))`
    const { ok, stopped, rows } = await through(program, { pipes: true, args: [] })
    expect(ok).toBe(false)
    expect(stopped).toContain('the gateway ended with code 4; its last output: out of licences')
    expect(rows.at(-1)).toMatchObject({ mark: 'unchecked' })
  })
})

describe('a gateway that runs', () => {
  it.each<[string, RequestListener, RegExp]>([
    [
      'answers 404',
      (_, response) => response.writeHead(404).end(),
      /answered initialize with HTTP 404 and no content type, which is no JSON-RPC answer: check that it runs, its URL and its path/,
    ],
    [
      'answers HTML',
      (_, response) => response.setHeader('Content-Type', 'text/html').end('<html>\n<p>Welcome</p>'),
      /answered initialize with HTTP 200 and text\/html, which is no JSON-RPC answer: <html> <p>Welcome<\/p>: check/,
    ],
    [
      'knows no caller',
      (_, response) => response.writeHead(401).end('who?'),
      /answered initialize with HTTP 401 .*: who\?: give a token that it knows with --bearer/,
    ],
    [
      'speaks another era',
      (_, response) =>
        response
          .writeHead(400, { 'Content-Type': 'application/json' })
          .end('{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version"}}'),
      /refused initialize with error -32022: Unsupported protocol version: it has to speak MCP 2025-03-26/,
    ],
    [
      'floods its callers',
      (_, response) => {
        const flood = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        }
        response.on('drain', flood)
        flood()
      },
      /did not answer initialize: an answer of more than 16 MiB/,
    ],
    [
      'opens a session and answers 404 to all else',
      (request, response) => {
        text(request).then(body => {
          if (!body.includes('"initialize"')) response.writeHead(404).end()
          else {
            response.setHeader('Content-Type', 'application/json')
            response.end('{"jsonrpc":"2.0","id":1,"result":{}}')
          }
        })
      },
      /^Refusal: the gateway "http:.*" answers every request with HTTP 404: check its URL and its path/,
    ],
    ['cuts connections', request => request.socket.destroy(), /did not answer initialize: socket hang up/],
  ])('that %s is reported in one sentence', async (_, answer, sentence) => {
    expect(String(await throughServer(answer).catch(error => error))).toMatch(sentence)
  })
})

describe('a stream of events', () => {
  it('is read up to the answer, also if the gateway leaves it open', async () => {
    const rehearsal = await throughServer((request, response) => {
      if (request.method === 'DELETE') return response.end()
      text(request).then(body => {
        const { id, method } = JSON.parse(body)
        const result = method === 'tools/list' ? { tools: [] } : { content: [] }
        response.setHeader('Content-Type', 'text/event-stream')
        response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`)
        if (id === undefined || method === 'tools/call') response.end()
      })
    })
    expect(rehearsal.stopped).toBe(null)
    expect(rehearsal.rows[0]).toMatchObject({ saw: '0 of 9 tools' })
  })
})

describe('a connection that the gateway has closed while it was idle', () => {
  it('is opened again for the next call', async () => {
    let requests = 0
    const rehearsal = await throughServer((request, response) => {
      // The third is the list, behind initialize and its notification.
      if (++requests === 3) {
        request.socket.destroy()
        return
      }
      text(request).then(body => {
        const { id, method } = JSON.parse(body)
        const result = method === 'tools/list' ? { tools: [] } : { content: [] }
        response.setHeader('Content-Type', 'application/json')
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
      })
    })
    expect(rehearsal.rows[0]).toMatchObject({ saw: '0 of 9 tools' })
  })
})

describe('a rehearsal', () => {
  it('ends when its time is over, and reports the rows that it left out', async () => {
    const { ok, stopped, rows } = await rehearse({ policy: POLICY, timeoutMs: 0 })
    expect(ok).toBe(false)
    expect(stopped).toBe('--timeout ended the rehearsal after 0 s')
    expect(rows.length).toBeGreaterThan(10)
    expect(new Set(rows.map(({ mark }) => mark))).toEqual(new Set(['unchecked']))
  })
})
