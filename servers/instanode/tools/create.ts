import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import { timestamp } from '../../../shared/util/go-json.js'
import type { Caller, Provisioned } from '../service.js'
import { expiresIn, provisionedOutput, resourceName, type ToolDeps } from './context.js'

export const createPostgres = (deps: ToolDeps) =>
  defineTool({
    name: 'create_postgres',
    title: 'Create a Postgres database',
    description:
      'Creates a live PostgreSQL database with pgvector and returns its connection URL, which is a secret. ' +
      'Without an account: 10 MB, 2 connections, removed after 24 hours, 5 creations a day. ' +
      'Not safe to repeat, because each call creates another database.',
    input: z.strictObject({ name: resourceName }),
    output: z.strictObject({
      ...provisionedOutput,
      connection_url: z.string().describe('A postgres:// URL with the password: keep it secret'),
      limits: z.strictObject({
        storage_mb: z.int(),
        connections: z.int(),
        expires_in: expiresIn,
      }),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ name }, call: ToolContext<Caller>) {
      const created = await deps.service.createPostgres(call.caller, name, call)
      const { limits, url, expiresIn } = created
      return {
        ...provisionedResult(created),
        connection_url: url,
        limits: {
          storage_mb: limits.storageMb,
          connections: limits.connections,
          expires_in: expiresIn,
        },
      }
    },
    render: result =>
      [
        'Postgres database provisioned.',
        '',
        ...leadingLines(result),
        `Connection URL: ${result.connection_url}`,
        `Storage: ${result.limits.storage_mb} MB`,
        `Max connections: ${result.limits.connections}`,
        ...lifetimeLine(result.limits.expires_in),
        `Note: ${result.note}`,
        '',
        'For a .env file:',
        `DATABASE_URL=${result.connection_url}`,
        '',
        'pgvector is installed: the type "vector" works without CREATE EXTENSION.',
      ].join('\n'),
  })

export const createWebhook = (deps: ToolDeps) =>
  defineTool({
    name: 'create_webhook',
    title: 'Create a webhook receiver',
    description:
      'Creates a URL that stores the requests sent to it, to read them later. ' +
      'Without an account: the last 100 requests, removed after 24 hours, 5 creations a day. ' +
      'Not safe to repeat, because each call creates another receiver.',
    input: z.strictObject({ name: resourceName }),
    output: z.strictObject({
      ...provisionedOutput,
      receive_url: z
        .string()
        .describe('A secret: anyone who has it can send requests and read the stored ones'),
      limits: z.strictObject({ requests_stored: z.int(), expires_in: expiresIn }),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ name }, call: ToolContext<Caller>) {
      const created = await deps.service.createWebhook(call.caller, name, call)
      const { limits, url, expiresIn } = created
      return {
        ...provisionedResult(created),
        receive_url: url,
        limits: { requests_stored: limits.requestsStored, expires_in: expiresIn },
      }
    },
    render: result =>
      [
        'Webhook receiver provisioned.',
        '',
        ...leadingLines(result),
        `Receive URL: ${result.receive_url}`,
        `Requests stored: ${result.limits.requests_stored}`,
        ...lifetimeLine(result.limits.expires_in),
        `Note: ${result.note}`,
        '',
        'Send a request, then read the stored requests:',
        `curl -X POST ${result.receive_url} -H 'Content-Type: application/json' -d '{"hello":"world"}'`,
        `curl ${result.receive_url}`,
      ].join('\n'),
  })

/** Returns the output fields that a database and a receiver share. */
function provisionedResult({ id, token, name, tier, expiresAt, note }: Provisioned<unknown>) {
  return { id, token, name, tier, expires_at: timestamp(expiresAt), note }
}

/** Returns the first lines of the text, which a database and a receiver share. */
function leadingLines(result: { token: string; name: string | null; tier: string }): string[] {
  const name = result.name === null ? [] : [`Name: ${result.name}`]
  return [`Token: ${result.token}`, ...name, `Tier: ${result.tier}`]
}

/** Returns the line with the lifetime. Empty for a permanent resource. */
function lifetimeLine(expiresIn: string | null): string[] {
  return expiresIn === null ? [] : [`Expires in: ${expiresIn}`]
}
