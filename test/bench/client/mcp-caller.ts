import { MODERN, modernMeta } from '../../support/clients/modern.js'
import { HttpConnection } from './http-connection.js'
import { type HttpResponse, header } from './http-response.js'

const INITIALIZE = {
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  },
}

export interface ToolResult {
  content: { text: string }[]
  structuredContent?: Record<string, unknown>
}

/** One caller of tools over one connection. */
export class McpCaller {
  readonly #connection: HttpConnection
  readonly #headers: string
  readonly #write: (tool: string, args: object, id: number) => Request
  #lastId = 0

  private constructor(connection: HttpConnection, headers: string, write = legacyCall) {
    this.#connection = connection
    this.#headers = headers
    this.#write = write
  }

  /**
   * A caller in a session of its own, as an SDK client is.
   *
   * @param own header lines to send with each request, each with its line end
   */
  static async inSession(url: string, own = ''): Promise<McpCaller> {
    const connection = await HttpConnection.open(url)
    const { head } = await connection.post(own, message(0, INITIALIZE.method, INITIALIZE.params))
    const session = header(head, 'mcp-session-id')
    if (session === undefined) throw new Error(`no session was opened:\n${head}`)
    const headers = `${own}Mcp-Session-Id: ${session}\r\nMcp-Protocol-Version: 2025-11-25\r\n`
    await connection.post(headers, '{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return new McpCaller(connection, headers)
  }

  /** A caller without a session, known by its handle. */
  static async asHandle(url: string, handle: string): Promise<McpCaller> {
    const connection = await HttpConnection.open(url)
    return new McpCaller(connection, `X-Safebot-Handle: ${handle}\r\n`)
  }

  /** A caller of revision 2026-07-28, which has no sessions. */
  static async modern(url: string): Promise<McpCaller> {
    return new McpCaller(await HttpConnection.open(url), '', modernRequest)
  }

  /** Calls a tool; the answer is checked to be a good one, and left unread. */
  async call(tool: string, args: object): Promise<HttpResponse> {
    const request = this.#write(tool, args, ++this.#lastId)
    const response = await this.#connection.post(this.#headers + request.headers, request.body)
    const { status, body: text } = response
    if (status === 200 && text.includes('"result"') && !text.includes('"isError":true')) return response
    throw new Error(`${tool} was answered ${status}: ${text}`)
  }

  /** Calls a tool and reads its result. */
  async read(tool: string, args: object): Promise<ToolResult> {
    const { body } = await this.call(tool, args)
    const answer: { result: ToolResult } = JSON.parse(
      body.startsWith('{') ? body : (/^data: (.*)$/m.exec(body)?.[1] ?? ''),
    )
    return answer.result
  }

  close(): void {
    this.#connection.close()
  }
}

/** A request as it is sent: its body, and the header lines that belong to it. */
interface Request {
  headers: string
  body: string
}

function legacyCall(tool: string, args: object, id: number): Request {
  return { headers: '', body: message(id, 'tools/call', { name: tool, arguments: args }) }
}

const META = modernMeta({ clientInfo: INITIALIZE.params.clientInfo })
const MODERN_HEADERS = `Mcp-Protocol-Version: ${MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: `

function modernRequest(tool: string, args: object, id: number): Request {
  return {
    headers: `${MODERN_HEADERS}${tool}\r\n`,
    body: message(id, 'tools/call', { name: tool, arguments: args, _meta: META }),
  }
}

function message(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params })
}
