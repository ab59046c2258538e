import { freePort } from '../support/free-port.js'
import { type StartedServer, startServer } from '../support/servers/started-server.js'

/** The command, as built. */
export const UNDERSTUDY = 'dist/servers/cli.js'

/** The reference server of the protocol's own project: the peer. */
export const PEER = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'

export interface HttpProgram {
  /** Of its MCP endpoint. */
  readonly url: string
  readonly pid: number | undefined
  stop(): Promise<void>
}

export async function startSafebot(nodeArgs: string[] = []): Promise<HttpProgram> {
  const server = await startServer(UNDERSTUDY, ['safebot', '--http', '0'], { ready: /^http/, nodeArgs })
  return httpProgram(server, server.line)
}

export async function startInstanode(): Promise<HttpProgram> {
  const server = await startServer(UNDERSTUDY, ['instanode', '--http', '0'], { ready: /^http/ })
  return httpProgram(server, server.line)
}

/** A gateway in front of an MCP endpoint. */
export async function startGateway(policy: string, upstream: string): Promise<HttpProgram> {
  const args = ['gateway', policy, '--upstream', upstream, '--port', '0']
  const server = await startServer(UNDERSTUDY, args, { ready: /^http/ })
  return httpProgram(server, server.line)
}

/** The program that a receiver of deliveries is compared with. */
export async function startExpressEcho(): Promise<HttpProgram> {
  const server = await startServer('test/bench/express-echo.mjs', [])
  return httpProgram(server, server.line)
}

export async function startPeer(): Promise<HttpProgram> {
  const port = await freePort()
  const server = await startServer(PEER, ['streamableHttp'], {
    ready: /listening on port/,
    stream: 'stderr',
    env: { PORT: String(port) },
  })
  return httpProgram(server, `http://127.0.0.1:${port}/mcp`)
}

/** Runs `use` with both programs up, and stops them whatever comes of it. */
export async function withBoth<T>(use: (safebot: HttpProgram, peer: HttpProgram) => Promise<T>): Promise<T> {
  return withProgram(startSafebot, safebot => withProgram(startPeer, peer => use(safebot, peer)))
}

export async function withProgram<T>(
  start: () => Promise<HttpProgram>,
  use: (program: HttpProgram) => Promise<T>,
): Promise<T> {
  const program = await start()
  try {
    return await use(program)
  } finally {
    await program.stop()
  }
}

function httpProgram(server: StartedServer, url: string): HttpProgram {
  return { url, pid: server.process.pid, stop: () => server.stop() }
}
