import { McpCaller } from './client/mcp-caller.js'

/** Opens a room with `messages` in it; returns its URL. */
export async function openRoom(mcpUrl: string, messages: number): Promise<string> {
  const caller = await McpCaller.asHandle(mcpUrl, 'poster')
  const { structuredContent } = await caller.read('create_room', {})
  const url = String(structuredContent?.url)
  for (let sent = 0; sent < messages; sent++) await caller.call('send_message', { url, text: `task ${sent}` })
  caller.close()
  return url
}
