import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import type { JsonObjectSchema, ToolHints, ToolListing } from '../util/known-tools.js'
import { shown } from '../util/shown.js'

/** The context of a call, which is the second argument of a handler. */
export interface ToolContext<Caller> {
  readonly caller: Caller
  /** Aborted when the caller cancels the call, disconnects or ends its session. */
  readonly signal: AbortSignal
  /**
   * Reports progress. `done` and `total` are numbers of seconds. Undefined if the caller did not ask for
   * progress.
   */
  readonly progress: ((done: number, total: number, message: string) => void) | undefined
}

export interface Tool<Caller> {
  readonly name: string
  readonly listing: ToolListing
  /**
   * Checks the arguments and runs the tool. Resolves with a tool error if an argument is invalid. Rejects
   * with the error that the handler throws.
   */
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

/**
 * Thrown when a call names a tool that the server does not have. The two eras answer such a call differently.
 */
export class UnknownTool extends Error {
  override readonly name = 'UnknownTool'
}

/** Returns the answer to a failed call. In MCP, a failed call has an ordinary result with `isError` set. */
export function toolError(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true }
}

/** Converts a schema to JSON Schema draft 7, because every published MCP client can validate draft 7. */
function jsonSchema(schema: z.ZodObject, io: 'input' | 'output'): JsonObjectSchema {
  const generated = z.toJSONSchema(schema, { target: 'draft-7', io, override: dropSafeIntegerBounds })
  const portable = Object.entries(generated).map(([key, value]) => [key, expandTypeLists(value)])
  return { ...Object.fromEntries(portable), type: 'object' }
}

/**
 * Replaces each list of types, such as `type: ['string', 'null']`, by an `anyOf` of single types. Both forms
 * have the same meaning.
 *
 * Some clients convert a schema to types of their own and expect `type` to be a string. The MCP Inspector
 * warns about a list.
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
 * Removes the minimum and maximum that zod adds to every integer. They are the limits of safe integers in
 * JavaScript, which say nothing about the argument.
 */
function dropSafeIntegerBounds({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
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
  // One value can fail two checks. Only the first failed check is reported.
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
