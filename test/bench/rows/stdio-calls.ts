import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { alternate } from '../alternate.js'
import { closedLoop } from '../client/closed-loop.js'
import { ECHO } from '../echo.js'
import { PEER, UNDERSTUDY } from '../programs.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32

/** How many calls a second the SDK's own client gets over a pipe. */
export const stdioCalls: Row = {
  name: 'stdio-calls',
  async measure() {
    const { ours, peer } = await alternate(
      3,
      () =>
        withClient([UNDERSTUDY, 'safebot'], async client => {
          const url = await openRoom(client)
          return callsPerSecond(client, 'room_status', { url })
        }),
      () => withClient([PEER, 'stdio'], client => callsPerSecond(client, ECHO.tool, ECHO.args)),
    )
    return [
      {
        what: `stdio, ${IN_FLIGHT} in flight, SDK client: \`room_status\`; peer: \`echo\``,
        unit: 'calls/s',
        ours,
        peer,
        target: 'at least the peer',
        met: ours >= peer,
      },
    ]
  },
}

async function withClient<T>(args: string[], use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function openRoom(client: Client): Promise<string> {
  const { structuredContent } = await client.callTool({ name: 'create_room', arguments: {} })
  const url = String(Object(structuredContent).url)
  await client.callTool({ name: 'send_message', arguments: { url, text: 'hello there' } })
  return url
}

async function callsPerSecond(client: Client, name: string, args: Record<string, unknown>): Promise<number> {
  const call = () => client.callTool({ name, arguments: args })
  const { perSecond } = await closedLoop(Array.from({ length: IN_FLIGHT }, () => call))
  return perSecond
}
