import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { makeLargeCalls } from '../support/clients/large-calls.js'

const COMMAND = 'dist/servers/cli.js'

/** Resident memory that `understudy up` stays under, in MB of 1,000,000 bytes. */
const MAX_RESIDENT_MB = 600

const ready = z.object({ safebot: z.object({ mcp: z.string() }) })

/**
 * A program: starts `understudy up`, makes calls with arguments of 4 MB, and prints its resident memory.
 *
 * `--calls N` is how many, 1,000 by default. The exit code is 1 if the memory passes the bound or the process ends.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { calls: { type: 'string', default: '1000' } } })
  const ports = ['--instanode-port', '0', '--safebot-port', '0', '--control-port', '0']
  const child = spawn(process.execPath, [COMMAND, 'up', '--json', ...ports], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const line = await firstLine(child.stdout)
    const { safebot } = ready.parse(JSON.parse(line))
    const calls = Number(values.calls)
    const every = Math.max(1, Math.floor(calls / 10))
    const most = await makeLargeCalls(safebot.mcp, child.pid, calls, (call, mb) => {
      if (call % every === 0) say(`after ${call} calls: ${Math.round(mb)} MB`)
    })
    say(
      `${calls} calls of 4 MB: at most ${Math.round(most)} MB were resident, ${MAX_RESIDENT_MB} are allowed`,
    )
    return most < MAX_RESIDENT_MB ? 0 : 1
  } finally {
    child.kill('SIGKILL')
  }
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line
  throw new Error('the command has ended without a line')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
