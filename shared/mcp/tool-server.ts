import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  type CallToolResult,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js'
import { Refusal } from '../errors.js'
import type { Log } from '../log.js'
import { type Tool, type ToolContext, toolError } from './define-tool.js'
import type { McpHost } from './host.js'
import { isObject } from './messages.js'

export interface ToolServerOptions<Caller> {
  /** `serverInfo.name`. */
  name: string
  /** `serverInfo.version`. */
  version: string
  tools: readonly Tool<Caller>[]
  host: McpHost<Caller>
  log: Log
  /** A refusal in the service's own words. Default: `<tool> failed: <message>`. */
  refusal?: (tool: string, refusal: Refusal) => string
}

/** One SDK `Server` with the given tools, mounted behind `host`. */
export async function mountTools<Caller>(options: ToolServerOptions<Caller>): Promise<Server> {
  const { name, version, host } = options
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const listed = { tools: options.tools.map(tool => tool.listing) }
  const server = new Server({ name, version }, { capabilities: { tools: {} } })

  server.setRequestHandler(ListToolsRequestSchema, request => {
    const cursor = request.params?.cursor
    if (cursor === undefined) return listed
    throw new McpError(
      ErrorCode.InvalidParams,
      `unknown cursor ${JSON.stringify(cursor)}: this list has one page`,
    )
  })

  // The SDK's own tools/call handler answers bad params with -32603 and a dump, and parses every request and
  // result twice more; this way gives the code the specification asks for, and a third of the call's time back.
  server.fallbackRequestHandler = async (request, extra) => {
    if (request.method !== 'tools/call') throw new McpError(ErrorCode.MethodNotFound, 'Method not found')
    const { name: wanted, args } = readParams(request.params)
    const call = host.call(extra.requestId)
    if (call === undefined) throw new McpError(ErrorCode.InternalError, 'the call is no longer under way')
    const tool = tools.get(wanted)
    if (tool === undefined) return unknownTool(wanted, [...tools.keys()])
    const progress = reporter(extra._meta?.progressToken, extra.sendNotification)
    return run(tool, args, { caller: call.caller, signal: extra.signal, progress }, options)
  }

  await host.mount(server)
  return server
}

/** @throws McpError -32602: this is the shape of the request, not the tool's arguments */
function readParams(params: unknown): { name: string; args: Record<string, unknown> } {
  if (!isObject(params) || typeof params.name !== 'string') {
    throw new McpError(ErrorCode.InvalidParams, 'tools/call needs params.name, the name of a tool')
  }
  const args = params.arguments ?? {}
  if (!isObject(args)) {
    const kind = Array.isArray(args) ? 'an array' : `a ${typeof args}`
    throw new McpError(
      ErrorCode.InvalidParams,
      `tools/call needs params.arguments to be an object, not ${kind}`,
    )
  }
  return { name: params.name, args }
}

async function run<Caller>(
  tool: Tool<Caller>,
  args: Record<string, unknown>,
  context: ToolContext<Caller>,
  { refusal, log }: ToolServerOptions<Caller>,
): Promise<CallToolResult> {
  try {
    return await tool.call(args, context)
  } catch (error) {
    if (error instanceof Refusal) {
      return toolError(refusal?.(tool.name, error) ?? `${tool.name} failed: ${error.sentence}`)
    }
    log.error(`${tool.name} failed`, error)
    return toolError(
      `${tool.name} failed: internal error, and nothing the call could mend; the server's log has it`,
    )
  }
}

/** As both real services answer it: a tool error, not the protocol error the specification asks for. */
function unknownTool(wanted: string, known: string[]): CallToolResult {
  return toolError(`Unknown tool: ${wanted}. This server has ${known.join(', ')}.`)
}

type Send = (notification: {
  method: 'notifications/progress'
  params: { progressToken: string | number; progress: number; total: number; message: string }
}) => Promise<void>

function reporter(progressToken: string | number | undefined, send: Send): ToolContext<unknown>['progress'] {
  if (progressToken === undefined) return undefined
  return (progress, total, message) => {
    // A caller that has gone makes the send fail; its abort signal tells the handler.
    void send({
      method: 'notifications/progress',
      params: { progressToken, progress, total, message },
    }).catch(() => undefined)
  }
}
