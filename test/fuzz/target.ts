import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StartedServer, startServer } from '../support/servers/started-server.js'
import { asSchema, type Schema } from './json-values.js'

const COMMAND = 'dist/servers/cli.js'
/** How long connections, engines and files may take to go after the last request. */
export const QUIET_MS = 2_000
/** A killed fuzzer leaves no program behind. */
const ENDS_WITH_PARENT = ['--import', './test/support/run/end-with-parent.mjs']
const POLICIES = 'fixtures/policies/intercept'

/** Must not be in any answer, nor in a log: the credential of the gateways, and the bearer of a grant. */
export const SECRETS = ['CANARY-upstream-key', 'CANARY-grant-token'] as const
const [UPSTREAM_KEY, GRANT_TOKEN] = SECRETS

/** An operation that a listener offers. */
export interface Operation {
  method: string
  /** With `{name}` where a value goes. */
  path: string
  query: readonly string[]
  /** The schema of its body. */
  body?: unknown
  /** Whether it may answer with a page. */
  html: boolean
  /** Of an MCP endpoint: the tools and the schemas of their arguments. */
  tools?: Record<string, unknown>
}

export interface Listener {
  name: string
  port: number
  operations: readonly Operation[]
  bearers: readonly string[]
  /** The OpenAPI document that the schemas refer into. */
  document: Schema
}

/** How much of the machine a program uses. */
export interface Usage {
  /** Resident memory, in MiB. */
  memory: number
  /** Open file descriptors. */
  handles: number
  /** Files and folders under its folder for temporary files. */
  files: number
}

/** Answer of an HTTP API: its status, and its body if that is JSON. */
export interface Answer {
  status: number
  body: Schema
}

/** The programs under test: `understudy up` with both gateways, and a gateway of its own with grants and approvals. */
export class Target {
  listeners: Listener[] = []
  /** Texts that mean something to the servers. */
  words: readonly string[] = []
  sessions: readonly string[] = []
  /** The end of what both programs have logged. */
  log = ''
  /** Its secrets, and those of the databases: they must not be in the log. */
  readonly unlogged: string[] = [...SECRETS]
  /** Names the first program that has ended. */
  ended: string | undefined
  /** The ids of the accounts, and their tokens. */
  #accounts: readonly string[] = []
  #bearers: readonly string[] = []
  #stopping = false

  private constructor(
    readonly folder: string,
    readonly up: StartedServer,
    readonly urls: { instanode: string; safebot: string; control: string; gateways: [string, string] },
    readonly token: string,
  ) {}

  /**
   * Starts the programs and finds out what can be asked of them.
   *
   * @param seed of the ids that the servers make
   * @throws Error if one of them does not start
   */
  static async start(seed: string): Promise<Target> {
    const folder = mkdtempSync(join(tmpdir(), 'understudy-fuzz-'))
    const ports = ['instanode', 'safebot', 'control', 'gateway-instanode', 'gateway-safebot']
    const policies = ['instanode', 'safebot'].flatMap(name => [
      '--policy',
      `${name}=${POLICIES}/${name}.yaml`,
    ])
    const args = ['up', '--json', '--seed', seed, '--upstream-header', `X-Upstream: ${UPSTREAM_KEY}`]
    const up = await startServer(
      COMMAND,
      [...args, ...policies, ...ports.flatMap(name => [`--${name}-port`, '0'])],
      { env: { TMPDIR: folder }, nodeArgs: ENDS_WITH_PARENT },
    )
    const { instanode, safebot, control, gateways, accounts } = JSON.parse(up.line)
    const paid = accounts.find(({ plan }: { plan: string }) => plan === 'paid')
    const urls = { instanode: instanode.api, safebot: safebot.api, control: control.url }
    const behind: [string, string] = [gateways.instanode.mcp, gateways.safebot.mcp]
    const target = new Target(folder, up, { ...urls, gateways: behind }, paid.token)
    target.#bearers = accounts.map(({ token }: { token: string }) => token)
    target.#accounts = accounts.flatMap(({ id, token }: { id: string; token: string }) => [id, token])
    target.#watch(up, 'understudy up')
    return target
  }

  /** Finds out what can be asked, and prepares a room, a receiver and sessions to ask it of. */
  async learn(): Promise<void> {
    const { instanode, safebot, control, gateways } = this.urls
    const own = await this.#startGateway()
    const decision = { type: 'object', properties: { decision: { enum: ['approve', 'deny'] } } }
    this.listeners = [
      await this.#service('instanode', instanode, '/openapi.json'),
      await this.#service('safebot', safebot, '/api/openapi.json'),
      await this.#service('control', control, '/openapi.json'),
      await this.#endpoint('MCP of instanode', `${instanode}/mcp`, instanode),
      await this.#endpoint('MCP of safebot', `${safebot}/mcp`, safebot),
      await this.#endpoint('gateway of instanode', gateways[0], instanode),
      await this.#endpoint('gateway of safebot', gateways[1], safebot),
      { ...(await this.#endpoint('gateway with grants', own.mcp, instanode)), bearers: [GRANT_TOKEN] },
      {
        name: 'approvals',
        port: portOf(own.approvals),
        document: {},
        bearers: this.#bearers,
        operations: [
          { method: 'GET', path: '/approvals', query: [], html: false },
          { method: 'POST', path: '/approvals/{id}', query: [], html: false, body: decision },
        ],
      },
    ]
    await this.refresh()
  }

  /** Prepares a room, a receiver and sessions anew: a request may have reset the instance. */
  async refresh(): Promise<void> {
    const { instanode, safebot } = this.urls
    const room = await this.tool(safebot, 'create_room', {})
    const { body } = await this.post(`${instanode}/webhook/new`, { name: 'fuzz' })
    const names = 'instanode safebot paid free manual real approve fuzz-room fuzz-handle'.split(' ')
    this.words = [...names, ...this.#accounts, ...[room.url, body.token, body.receive_url].map(String)]
    this.sessions = await Promise.all([instanode, safebot].map(url => this.#openSession(`${url}/mcp`)))
  }

  /** Returns the resident memory in MiB after a reset, once what has ended is gone. */
  async memoryAtRest(): Promise<number> {
    await this.post(`${this.urls.control}/reset`, {})
    await (await this.#fetch(`${this.urls.control}/journal`, { method: 'DELETE' })).text()
    await new Promise(resolve => setTimeout(resolve, QUIET_MS))
    const memory = this.memory()
    await this.refresh()
    return memory
  }

  async #openSession(url: string): Promise<string> {
    const clientInfo = { name: 'fuzz', version: '1' }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
    const opened = await this.#fetch(url, { body: JSON.stringify(rpc('initialize', params)) })
    await opened.text()
    return opened.headers.get('mcp-session-id') ?? 'none'
  }

  #stopGateway: () => Promise<void> = async () => {}

  async #startGateway() {
    const policy = join(process.cwd(), 'fixtures/demo/delete-with-approval.yaml')
    const file = join(this.folder, 'grants.json')
    writeFileSync(file, JSON.stringify({ grants: [{ label: 'fuzz', token: GRANT_TOKEN, policy }] }))
    const where = ['--upstream', `${this.urls.instanode}/mcp`, '--port', '0', '--approval-port', '0']
    const key = ['--upstream-header', `Authorization: Bearer ${this.token}`]
    const server = await startServer(COMMAND, ['gateway', '--grants', file, '--json', ...where, ...key], {
      nodeArgs: ENDS_WITH_PARENT,
    })
    rmSync(file)
    this.#watch(server, 'understudy gateway')
    this.#stopGateway = () => server.stop()
    const { mcp, approvals } = JSON.parse(server.line).gateway
    return { mcp: String(mcp), approvals: String(approvals) }
  }

  #watch({ process: child }: StartedServer, name: string): void {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', bytes => {
        this.log = (this.log + bytes).slice(-100_000)
      })
    child.once('exit', (code, signal) => {
      if (!this.#stopping || code !== 0) this.ended ??= `${name} ended with ${code ?? signal}`
    })
  }

  async #service(name: string, url: string, path: string): Promise<Listener> {
    const document = asSchema(await (await fetch(url + path)).json())
    const operations = Object.entries(asSchema(document.paths)).flatMap(([path, methods]) =>
      Object.entries(asSchema(methods)).map(([method, about]) =>
        operationOf(method.toUpperCase(), path, about),
      ),
    )
    return { name, port: portOf(url), document, bearers: this.#bearers, operations }
  }

  /** @param api of the server behind it, which lists its tools to everybody */
  async #endpoint(name: string, url: string, api: string): Promise<Listener> {
    const { body } = await this.post(`${api}/mcp`, rpc('tools/list', {}))
    const listed = asSchema(body.result).tools
    const tools = Object.fromEntries(
      (Array.isArray(listed) ? listed : []).map(({ name, inputSchema }) => [String(name), inputSchema]),
    )
    const post = { method: 'POST', path: '/mcp', query: ['handle'], html: false, tools }
    const others = ['GET', 'DELETE'].map(method => ({ method, path: '/mcp', query: [], html: false }))
    const operations = [...Array(8).fill(post), ...others]
    return { name, port: portOf(url), document: {}, bearers: this.#bearers, operations }
  }

  async post(url: string, body: unknown, method = 'POST'): Promise<Answer> {
    const bodied = method === 'GET' ? {} : { body: JSON.stringify(body) }
    const response = await this.#fetch(url, { method, ...bodied })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json') && text !== ''
    return { status: response.status, body: json ? asSchema(JSON.parse(text)) : { text } }
  }

  /** Calls a tool. @returns its structured content, or `{error}` */
  async tool(api: string, name: string, args: Record<string, unknown>): Promise<Schema> {
    const { body } = await this.post(`${api}/mcp`, rpc('tools/call', { name, arguments: args }))
    const { structuredContent, content } = asSchema(body.result)
    return structuredContent === undefined ? { error: content ?? body } : asSchema(structuredContent)
  }

  #fetch(url: string, init: RequestInit): Promise<Response> {
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      Authorization: `Bearer ${this.token}`,
      // A connection that is kept would count as a handle of the server.
      Connection: 'close',
    }
    return fetch(url, { method: 'POST', headers, signal: AbortSignal.timeout(60_000), ...init })
  }

  /** Resident memory of `understudy up`, in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.up.process.pid}/status`, 'utf8')
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(status) ?? []
    return Number(kilobytes) / 1024
  }

  usage(): Usage {
    const handles = readdirSync(`/proc/${this.up.process.pid}/fd`).length
    return { memory: this.memory(), handles, files: readdirSync(this.folder, { recursive: true }).length }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#stopGateway()
    await this.up.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function operationOf(method: string, path: string, about: unknown): Operation {
  const { parameters, requestBody, responses } = asSchema(about)
  const query = (Array.isArray(parameters) ? parameters : []).filter(({ in: place }) => place === 'query')
  const content = asSchema(asSchema(asSchema(requestBody).content)['application/json'])
  return {
    method,
    path,
    query: query.map(({ name }) => String(name)),
    // A fault that is set ends the process, or answers with 500, on purpose.
    body: path === '/faults' ? undefined : content.schema,
    html: JSON.stringify(responses ?? {}).includes('text/html'),
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}

function rpc(method: string, params: unknown) {
  return { jsonrpc: '2.0', id: 1, method, params }
}
