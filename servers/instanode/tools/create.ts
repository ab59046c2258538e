import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import type { ToolKit } from './context.js'
import { leadingLines, lifetimeLine, provisionedResult } from './provisioned.js'
import { expiresIn, provisionedOutput, resourceName } from './schemas.js'

export const createPostgres = (kit: ToolKit) =>
  defineTool({
    name: 'create_postgres',
    title: 'Create a Postgres database',
    description:
      'Creates a live PostgreSQL database with pgvector and returns its connection URL, which is a secret. Without an ' +
      'account: 10 MB, 2 connections, gone after 24 hours, 5 creations a day. Not safe to repeat: each call makes another.',
    input: z.strictObject({ name: resourceName }),
    output: z.strictObject({
      ...provisionedOutput,
      connection_url: z.string().describe('postgres:// URL, password included: keep it secret'),
      limits: z.strictObject({
        storage_mb: z.int(),
        connections: z.int(),
        expires_in: expiresIn,
      }),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ name }, call: ToolContext<Caller>) {
      const made = await kit.service.createPostgres(call.caller, name, call)
      const { limits, url, expiresIn } = made
      return {
        ...provisionedResult(made),
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
        'pgvector is there already: the type "vector" works without CREATE EXTENSION.',
      ].join('\n'),
  })
