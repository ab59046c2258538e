import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { alternate } from '../alternate.js'
import { PEER, UNDERSTUDY } from '../programs.js'
import { residentMb } from '../resident.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const STARTS = 15
/** Milliseconds after the answer until memory is read: the rest of the start has ended by then. */
const SETTLE_MS = 100

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  },
})

/** How long a host waits for a server it has just started, and what the server holds then. */
export const stdioStart: Row = {
  name: 'stdio-start',
  async measure() {
    const memory = { ours: [] as number[], peer: [] as number[] }
    const { ours, peer } = await alternate(
      STARTS,
      () => startOnce([UNDERSTUDY, 'safebot'], memory.ours),
      () => startOnce([PEER, 'stdio'], memory.peer),
    )
    const oursMb = median(memory.ours)
    const peerMb = median(memory.peer)
    return [
      {
        what: `stdio: from spawn to the answer to \`initialize\`, median of ${STARTS}`,
        unit: 'ms',
        ours,
        peer,
        target: 'no slower than the peer',
        met: ours <= peer,
      },
      {
        what: 'stdio: resident memory after `initialize`',
        unit: 'MB',
        ours: oursMb,
        peer: peerMb,
        target: 'no more than the peer',
        met: oursMb <= peerMb,
      },
    ]
  },
}

/** Milliseconds from spawn to answer. */
async function startOnce(args: string[], memory: number[]): Promise<number> {
  const spawned = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  child.stdin.write(`${INITIALIZE}\n`)
  await firstLine(child)
  const taken = performance.now() - spawned
  await sleep(SETTLE_MS)
  memory.push(residentMb(child.pid))
  child.kill()
  await ended
  return taken
}

function firstLine({ stdout }: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout?.on('data', (chunk: Buffer) => {
      if (chunk.includes('\n')) resolve()
    })
    stdout?.on('end', () => reject(new Error('the server ended without an answer')))
  })
}
