import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import type { JsonObjectSchema, ToolHints, ToolListing } from '../util/known-tools.js'
import { shown } from '../util/shown.js'

/** The context of a call, which is the second argument of a handler. */
export interface ToolContext<Caller> {
  readonly caller: Caller
  /** Aborted when the caller cancels the call, disconnects or ends its session. */
  readonly signal: AbortSignal
  /** Reports progress in seconds. Undefined if the caller did not ask for progress. */
  readonly progress: ((done: number, total: number, message: string) => void) | undefined
}

export interface Tool<Caller> {
  readonly name: string
  readonly listing: ToolListing
  /** Checks the arguments and runs the tool. Rejects with the error that the handler throws. */
  call(args: Record<string, unknown>, context: ToolContext<Caller>): Promise<CallToolResult>
}

export interface ToolSpec<Caller, Input extends z.ZodObject, Output extends z.ZodObject> {
  name: string
  title: string
  description: string
  /** Schema of the arguments. An argument that the schema does not name is refused. */
  input: Input
  output: Output
  hints: ToolHints
  run(args: z.output<Input>, context: ToolContext<Caller>): Promise<z.output<Output>>
  /** Returns the result as a text for a model. The result itself is sent as `structuredContent`. */
  render(result: z.output<Output>): string
}

/** Returns a tool that is built from one definition: schemas, hints, handler and texts. */
export function defineTool<Caller, Input extends z.ZodObject, Output extends z.ZodObject>(
  spec: ToolSpec<Caller, Input, Output>,
): Tool<Caller> {
  const { name, title, description, input, output, hints } = spec
  return {
    name,
    listing: {
      name,
      title,
      description,
      inputSchema: jsonSchema(input, 'input'),
      outputSchema: jsonSchema(output, 'output'),
      annotations: { title, ...hints },
    },
    async call(args, context) {
      const parsed = input.safeParse(args)
      if (!parsed.success) {
        return toolError(
          `${name} failed: ${explainIssues(parsed.error.issues, args, Object.keys(input.shape))}`,
        )
      }
      const result = await spec.run(parsed.data, context)
      return { content: [{ type: 'text', text: spec.render(result) }], structuredContent: result }
    },
  }
}

/** A call named a tool that the server does not have. Each era has its own answer to such a call. */
export class UnknownTool extends Error {
  override readonly name = 'UnknownTool'
}

/** Returns the answer to a failed call. In MCP, a failed call has an ordinary result with `isError` set. */
export function toolError(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true }
}

/**
 * Returns a JSON Schema of draft 7, which is named in `$schema`. Every published client can validate with
 * draft 7.
 */
function jsonSchema(schema: z.ZodObject, io: 'input' | 'output'): JsonObjectSchema {
  const generated = z.toJSONSchema(schema, { target: 'draft-7', io, override: dropSafeBounds })
  const portable = Object.entries(generated).map(([key, value]) => [key, expandTypeLists(value)])
  return { ...Object.fromEntries(portable), type: 'object' }
}

/**
 * Replaces each `type: ['string', 'null']` in a schema by an `anyOf` of single types. Both forms mean the
 * same.
 *
 * Some clients map a schema to their own types and expect `type` to be a string. The MCP Inspector reports a
 * list as a problem.
 */
function expandTypeLists(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(expandTypeLists)
  if (typeof schema !== 'object' || schema === null) return schema
  const expanded = Object.entries(schema).map(([key, value]) =>
    key === 'type' && Array.isArray(value)
      ? ['anyOf', value.map(type => ({ type }))]
      : [key, expandTypeLists(value)],
  )
  return Object.fromEntries(expanded)
}

/**
 * Removes the bounds that zod sets on every integer. These bounds are the range of safe integers and are
 * useless to a reader.
 */
function dropSafeBounds({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

/**
 * Describes all invalid arguments of a call in one sentence: their names, their values and the accepted
 * values.
 *
 * @param args the arguments of the call, before the check
 * @param known the names of the arguments that the tool accepts
 */
function explainIssues(issues: z.core.$ZodIssue[], args: Record<string, unknown>, known: string[]): string {
  // One value can break two rules. Only the first broken rule is reported.
  const first = new Map(issues.map(issue => [issue.path.join('.'), issue] as const).reverse())
  return `invalid arguments: ${[...first.values()]
    .reverse()
    .map(issue => explain(issue, args, known))
    .join('; ')}`
}

function explain(issue: z.core.$ZodIssue, args: Record<string, unknown>, known: string[]): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => JSON.stringify(key)).join(', ')
    const takes = known.length === 0 ? 'this tool takes no arguments' : `known are ${known.join(', ')}`
    return `unknown argument ${names} (${takes})`
  }
  const value = at(args, issue.path)
  const name = issue.path.length === 0 ? 'arguments' : issue.path.join('.')
  if (value === undefined) return `${name} is missing (${lowerFirst(issue.message)})`
  return `${name} is ${shown(value)} (${lowerFirst(issue.message)})`
}

function at(args: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    args,
  )
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
