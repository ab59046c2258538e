import { closedLoop } from './client/closed-loop.js'
import { McpCaller } from './client/mcp-caller.js'

/** The peer's cheapest tool, over HTTP and on stdio. */
export const ECHO = { tool: 'echo', args: { message: 'hello there' } } as const

/** Calls per second the peer answers to its cheapest tool over HTTP, from `inFlight` connections in one session each. */
export async function peerEcho(url: string, inFlight: number): Promise<number> {
  return callsPerSecond(url, inFlight, ECHO.tool, ECHO.args)
}

/** Calls per second of one tool over HTTP, each caller in a session. */
export async function callsPerSecond(
  url: string,
  inFlight: number,
  tool: string,
  args: object,
  headers = '',
): Promise<number> {
  return loop(inFlight, () => McpCaller.inSession(url, headers), tool, args)
}

/** Calls per second of one tool over HTTP, in revision 2026-07-28. */
export async function modernCallsPerSecond(
  url: string,
  inFlight: number,
  tool: string,
  args: object,
): Promise<number> {
  return loop(inFlight, () => McpCaller.modern(url), tool, args)
}

async function loop(
  inFlight: number,
  open: () => Promise<McpCaller>,
  tool: string,
  args: object,
): Promise<number> {
  const callers = await Promise.all(Array.from({ length: inFlight }, open))
  const { perSecond } = await closedLoop(callers.map(caller => () => caller.call(tool, args)))
  for (const caller of callers) caller.close()
  return perSecond
}
