import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  Client,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { END_WITH_PARENT } from '../../support/clients/command.js'
import { MODERN } from '../../support/clients/modern.js'
import { OFFICIAL_CLIENTS } from '../../support/clients/official-clients.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { temporaryFolder } from '../../support/servers/remote.js'
import { startUnderstudy } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const STDIO_HOST = join(import.meta.dirname, '../../support/servers/stdio-host.mjs')

/** Calls for each server: a good one, one with bad arguments, and one that a fault leaves without an answer. */
const SERVERS = [
  {
    server: 'instanode',
    tools: 6,
    good: { tool: 'create_webhook', args: { name: 'hook' }, result: { receive_url: expect.any(String) } },
    bad: { tool: 'delete_resource', args: { token: 'no such token' } },
    hung: { tool: 'get_api_token', args: {} },
  },
  {
    server: 'safebot',
    tools: 8,
    good: { tool: 'create_room', args: {}, result: { url: expect.stringContaining('/room/') } },
    bad: { tool: 'room_status', args: { url: 'no URL' } },
    hung: { tool: 'get_transcript', args: { url: 'https://safebot.chat/room/A#k=A' } },
  },
] as const

type ServerRow = (typeof SERVERS)[number]

const extraTool = (server: string, after: number) => ({
  ...{ server, after, notify: true },
  do: { add: { name: 'extra', description: 'It came later.', answer: 'here' } },
})

const hang = ({ server, hung }: ServerRow) => ({
  ...{ server, tool: hung.tool },
  ...{ when: { always: true as const }, do: { hang: true as const } },
})

const start = () => startUnderstudy({ databases: new RecordingDatabases() })

/** The program and arguments of a server on stdio with a hanging tool and a change of its list, and its journal. */
async function stdioServer(row: ServerRow) {
  const file = join(await temporaryFolder(), 'journal.jsonl')
  const settings = JSON.stringify({ faults: [hang(row)], overlays: [extraTool(row.server, 1)] })
  const host = ['--import', END_WITH_PARENT, STDIO_HOST, row.server, settings]
  const entries = async (): Promise<Record<string, unknown>[]> => {
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
    return lines.map(line => JSON.parse(line))
  }
  return { target: [...host, '--clock', 'manual', '--journal', file, '--journal-sync'], entries }
}

describe.each(OFFICIAL_CLIENTS)('the official $name', ({ connect, revision }) => {
  describe.each(SERVERS)('with $server over HTTP', row => {
    const { server, tools, good, bad, hung } = row

    it('lists the tools, calls one, and reads an error', async () => {
      const understudy = await start()
      const client = await connect(understudy[server].mcpUrl)
      expect(await client.list()).toHaveLength(tools)
      expect(await client.call(good.tool, good.args)).toMatchObject({ structuredContent: good.result })
      expect(await client.call(bad.tool, bad.args)).toMatchObject({ isError: true })
      expect(understudy.journal.entries({ tool: good.tool })).toMatchObject([
        { protocol: revision, client: { name: 'test', version: '1' }, mismatch: [] },
      ])
    })

    it('cancels a call', async () => {
      const { faults, journal, ...understudy } = await start()
      faults.set([hang(row)])
      const client = await connect(understudy[server].mcpUrl)
      const controller = new AbortController()
      const failed = expect(client.call(hung.tool, hung.args, controller.signal)).rejects.toThrow()
      await until(() => journal.entries({ tool: hung.tool }).length === 1)
      controller.abort('enough')
      await failed
      await journal.waitFor({ tool: hung.tool, outcome: 'aborted' })
    })

    it('receives a change of the list', async () => {
      const { catalogue, journal, ...understudy } = await start()
      const client = await connect(understudy[server].mcpUrl)
      const { changed } = await client.watchTools()
      const stream = revision === MODERN ? 'subscriptions/listen' : 'GET /mcp'
      await until(() => journal.entries({ method: stream }).length === 1)
      catalogue.set([extraTool(server, 0)])
      await changed
      expect(await client.list()).toContain('extra')
    })
  })

  describe.each(SERVERS)('with $server on a pipe', row => {
    const { tools, good, bad, hung } = row

    it('lists the tools, calls one, reads an error, and receives a change of the list', async () => {
      const { target, entries } = await stdioServer(row)
      const client = await connect(target)
      const { changed } = await client.watchTools()
      expect(await client.list()).toHaveLength(tools)
      expect(await client.call(good.tool, good.args)).toMatchObject({ structuredContent: good.result })
      expect(await client.call(bad.tool, bad.args)).toMatchObject({ isError: true })
      expect(await entries()).toContainEqual(
        expect.objectContaining({ tool: good.tool, protocol: revision, outcome: 'ok' }),
      )
      await changed
      expect(await client.list()).toContain('extra')
    })

    it('cancels a call', async () => {
      const { target, entries } = await stdioServer(row)
      const client = await connect(target)
      const controller = new AbortController()
      const failed = expect(client.call(hung.tool, hung.args, controller.signal)).rejects.toThrow()
      // The client has sent the call before this request.
      await client.list()
      controller.abort('enough')
      await failed
      // The server reads this request after the cancellation.
      await client.list()
      expect(await entries()).toContainEqual(expect.objectContaining({ tool: hung.tool, outcome: 'aborted' }))
    })
  })
})

it('the official client falls back to a legacy server, and stops at one without its revision', async () => {
  const { safebot } = await startUnderstudy({ protocol: '2025-11-25' })
  const connect = async (mode: VersionNegotiationMode) => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
    onTestFinished(() => client.close())
    await client.connect(new StreamableHTTPClientTransport(new URL(safebot.mcpUrl)))
  }
  await connect('auto')
  await expect(connect({ pin: MODERN })).rejects.toThrow()
})
