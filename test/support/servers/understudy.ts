import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { onTestFinished } from 'vitest'
import {
  createUnderstudy,
  type Understudy,
  type UnderstudyOptions,
} from '../../../servers/understudy/index.js'

/** An instance on a manual clock with a fixed seed, closed when the test is over. */
export async function startUnderstudy(options: UnderstudyOptions = {}): Promise<Understudy> {
  const understudy = await createUnderstudy({ clock: 'manual', seed: 'test', ...options })
  onTestFinished(() => understudy.close())
  return understudy
}

/** Calls a tool and returns its result, whether it is an error or not. */
export async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
  options: { signal?: AbortSignal; onprogress?: (progress: { progress: number }) => void } = {},
): Promise<CallToolResult> {
  return CallToolResultSchema.parse(await client.callTool({ name, arguments: args }, undefined, options))
}

/** The text of a result. */
export function textOf(result: CallToolResult): string {
  const [first] = result.content
  if (first?.type !== 'text') throw new TypeError('the result has no text')
  return first.text
}

/** Calls a tool that is to succeed; returns its structured result. */
export async function ok(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const result = await call(client, name, args)
  if (result.isError) throw new Error(`${name} was refused: ${textOf(result)}`)
  return result.structuredContent ?? {}
}

/** Calls a tool that is to be refused; returns the text. */
export async function refused(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<string> {
  const result = await call(client, name, args)
  if (!result.isError) throw new Error(`${name} was not refused: ${textOf(result)}`)
  return textOf(result)
}
