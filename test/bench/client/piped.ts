import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { closedLoop } from './closed-loop.js'

/** Starts a server on stdio, has the SDK's own client use it, and ends it. */
export async function withPiped<T>(args: string[], use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/** A room with a message in it; returns its URL. */
export async function openPipedRoom(client: Client): Promise<string> {
  const { structuredContent } = await client.callTool({ name: 'create_room', arguments: {} })
  const url = String(Object(structuredContent).url)
  await client.callTool({ name: 'send_message', arguments: { url, text: 'hello there' } })
  return url
}

/** Calls one tool in a closed loop. */
export function callPiped(client: Client, name: string, args: Record<string, unknown>, inFlight: number) {
  const call = () => client.callTool({ name, arguments: args })
  return closedLoop(Array.from({ length: inFlight }, () => call))
}
