import { closedLoop } from './client/closed-loop.js'
import { McpCaller } from './client/mcp-caller.js'

/** What the peer is asked, here and on stdio. */
export const ECHO = { tool: 'echo', args: { message: 'hello there' } } as const

/** Calls per second the peer answers to its cheapest tool over HTTP, from `inFlight` connections in one session each. */
export async function peerEcho(url: string, inFlight: number): Promise<number> {
  return callsPerSecond(url, inFlight, ECHO.tool, ECHO.args)
}

/** Calls per second of one tool over HTTP. */
export async function callsPerSecond(
  url: string,
  inFlight: number,
  tool: string,
  args: object,
  headers = '',
): Promise<number> {
  const callers = await Promise.all(Array.from({ length: inFlight }, () => McpCaller.inSession(url, headers)))
  const { perSecond } = await closedLoop(callers.map(caller => () => caller.call(tool, args)))
  for (const caller of callers) caller.close()
  return perSecond
}
