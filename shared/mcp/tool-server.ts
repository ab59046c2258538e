import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  type CallToolResult,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type ProgressToken,
} from '@modelcontextprotocol/sdk/types.js'
import type { jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { Refusal } from '../errors.js'
import type { Counted } from '../overlays/overlays.js'
import type { Log } from '../util/log.js'
import { isObject } from '../util/objects.js'
import { shown } from '../util/shown.js'
import { countedFor } from './calls.js'
import type { Call } from './conversation.js'
import { type Tool, type ToolContext, toolError, UnknownTool } from './define-tool.js'
import type { McpHost } from './host.js'

export interface ToolServerOptions<Caller> {
  /** `serverInfo.name`. */
  name: string
  /** `serverInfo.version`. */
  version: string
  tools: readonly Tool<Caller>[]
  host: McpHost<Caller>
  log: Log
  /** Returns the text of a refusal in the words of the real service. Default: `<tool> failed: <message>`. */
  refusal?: (tool: string, refusal: Refusal) => string
}

let ajv: AjvJsonSchemaValidator | undefined

/**
 * A validator that is created on first use. By default, the SDK creates one for each server, which takes
 * milliseconds. The SDK uses it only to check a form that a client has filled in.
 */
const lazyValidator: jsonSchemaValidator = {
  getValidator(schema) {
    ajv ??= new AjvJsonSchemaValidator()
    return ajv.getValidator(schema)
  },
}

/** Creates an SDK `Server` with the given tools and connects it to `host`. */
export async function mountTools<Caller>(options: ToolServerOptions<Caller>): Promise<Server> {
  const { name, version, host } = options
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const listed = { tools: options.tools.map(tool => tool.listing) }
  const { catalogue, knownTools } = host.instance
  // An overlay can be set at any time, so `listChanged` is always declared. Most SDKs declare it by default.
  const capabilities = { tools: { listChanged: true } }
  const server = new Server({ name, version }, { capabilities, jsonSchemaValidator: lazyValidator })
  knownTools.add(host.name, {
    tools: listed.tools,
    announce: () => host.announceTools(),
  })

  const list = (caller: string, cursor: string | undefined, counted: Counted) => {
    if (catalogue.has(host.name)) return overlaidPage(host, { caller, cursor, counted })
    if (cursor === undefined) return listed
    throw new McpError(
      ErrorCode.InvalidParams,
      `unknown cursor ${JSON.stringify(cursor)}: this list has one page`,
    )
  }
  server.setRequestHandler(ListToolsRequestSchema, (request, { requestId }) =>
    list(host.callerOf(requestId), request.params?.cursor, 'together'),
  )

  host.handle('tools/call', async (call, params) => {
    const { name: wanted, args } = readParams(params)
    const context = () => contextOf(host, call, params?._meta?.progressToken)
    if (catalogue.has(host.name)) {
      const [caller, counted] = [host.nameOf(call.caller), countedFor(call.modern)]
      const overlaid = catalogue.find(host.name, caller, wanted, counted)
      if (overlaid === undefined) throw unknownTool(wanted, catalogue.names(host.name, caller, counted))
      const genuine = overlaid.genuine === undefined ? undefined : tools.get(overlaid.genuine)
      if (genuine === undefined) return { content: [{ type: 'text', text: overlaid.answer }] }
      return run(genuine, without(args, overlaid.extra), context(), options)
    }
    const tool = tools.get(wanted)
    if (tool === undefined) throw unknownTool(wanted, [...tools.keys()])
    return run(tool, args, context(), options)
  })

  await host.mount(server, {
    serverInfo: { name, version },
    capabilities,
    handlers: new Map([
      [
        'tools/list',
        async (call, params) => {
          const { cursor } = params ?? {}
          const caller = host.nameOf(call.caller)
          if (cursor === undefined || typeof cursor === 'string') {
            // The cache settings are read first, because showing this list can bring an overlay into effect.
            const caching = catalogue.caching(host.name, caller, 'alone')
            return { ...list(caller, cursor, 'alone'), ...caching }
          }
          throw new McpError(
            ErrorCode.InvalidParams,
            `cursor is ${shown(cursor)}: send the nextCursor of a page`,
          )
        },
      ],
    ]),
    // A header repeats an argument only if an overlay has added that argument, so genuine tools need no
    // schema here.
    inputSchema: (caller, tool) =>
      catalogue.has(host.name)
        ? catalogue.find(host.name, host.nameOf(caller), tool, 'alone')?.listing.inputSchema
        : undefined,
  })
  return server
}

/**
 * Returns one page of the tool list, after applying the overlays. @throws McpError -32602 for a cursor that
 * no page gave
 */
function overlaidPage<Caller>(
  { instance, name }: McpHost<Caller>,
  { caller, cursor, counted }: { caller: string; cursor: string | undefined; counted: Counted },
) {
  try {
    return instance.catalogue.page(name, caller, cursor, counted)
  } catch (error) {
    if (error instanceof Refusal) throw new McpError(ErrorCode.InvalidParams, error.sentence)
    throw error
  }
}

function without(args: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  if (names.length === 0) return args
  return Object.fromEntries(Object.entries(args).filter(([name]) => !names.includes(name)))
}

/**
 * Returns the tool name and the arguments of a call.
 *
 * @throws McpError -32602 if `params` have the wrong shape
 */
function readParams(params: unknown): { name: string; args: Record<string, unknown> } {
  if (!isObject(params) || typeof params.name !== 'string') {
    throw new McpError(ErrorCode.InvalidParams, 'tools/call needs params.name, the name of a tool')
  }
  const { arguments: args = {} } = params
  if (!isObject(args)) {
    const kind = Array.isArray(args) ? 'an array' : `a ${typeof args}`
    throw new McpError(
      ErrorCode.InvalidParams,
      `tools/call needs params.arguments to be an object, not ${kind}`,
    )
  }
  return { name: params.name, args }
}

function contextOf<Caller>(
  host: McpHost<Caller>,
  call: Call<Caller>,
  progressToken: ProgressToken | undefined,
): ToolContext<Caller> {
  const { caller, cancellation } = call
  return {
    caller,
    get signal() {
      return cancellation.signal
    },
    progress:
      progressToken === undefined
        ? undefined
        : (progress, total, message) =>
            host.notify(call, {
              jsonrpc: '2.0',
              method: 'notifications/progress',
              params: { progressToken, progress, total, message },
            }),
  }
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
      `${tool.name} failed: internal error, not caused by the arguments. See the server's log.`,
    )
  }
}

function unknownTool(wanted: string, known: string[]): UnknownTool {
  return new UnknownTool(`Unknown tool: ${wanted}. This server has ${known.join(', ')}.`)
}
