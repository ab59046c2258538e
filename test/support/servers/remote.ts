import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { onTestFinished } from 'vitest'
import { Safebot, type SafebotOptions } from '../../../servers/safebot/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import type { Instance } from '../../../shared/instance.js'
import { COMMAND } from '../clients/command.js'

/** A folder of a test's own, removed with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface StdioAgent {
  client: Client
  /** Ends the process as a crash does. */
  crash(): Promise<void>
}

/** An agent that is a process of its own, connected to a service by `--connect`. */
export async function stdioAgent(
  base: string,
  {
    home,
    env = {},
    args = ['--connect', base],
  }: { home: string; env?: Record<string, string>; args?: string[] },
): Promise<StdioAgent> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [COMMAND, 'safebot', ...args],
    env: { PATH: process.env.PATH ?? '', HOME: home, ...env },
    stderr: 'ignore',
  })
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(transport)
  onTestFinished(() => client.close())
  return {
    client,
    async crash() {
      const { pid } = transport
      if (pid === null) throw new Error('the agent is not running')
      const closed = new Promise<void>(resolve => {
        client.onclose = resolve
      })
      process.kill(pid, 'SIGKILL')
      await closed
    },
  }
}

export interface RemoteSafebot {
  safebot: Safebot
  /** The lines of its warnings. */
  warnings: string[]
  close(): Promise<void>
}

/** A Safebot in this process that is a client of another one: no rooms of its own, and real time. */
export async function remoteSafebot(connect: string, options: SafebotOptions = {}): Promise<RemoteSafebot> {
  const { instance, warnings } = await warningInstance()
  const safebot = await Safebot.create(instance, { connect, ...options })
  return { safebot, warnings, close: closingOnce(safebot, instance) }
}

/** Likewise, and served over HTTP. */
export async function remoteSafebotOverHttp(
  connect: string,
  options: SafebotOptions = {},
): Promise<{ mcpUrl: string }> {
  const { instance } = await warningInstance()
  const { safebot, url } = await Safebot.listen(instance, {}, { connect, ...options })
  closingOnce(safebot, instance)
  return { mcpUrl: `${url}/mcp` }
}

async function warningInstance(): Promise<{ instance: Instance; warnings: string[] }> {
  const warnings: string[] = []
  const note = (message: string) => void warnings.push(message)
  return { instance: await createInstance({ log: { warn: note, error: note } }), warnings }
}

/** Closes them when the test is over, unless it has done so itself. */
function closingOnce(safebot: Safebot, instance: Instance): () => Promise<void> {
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= safebot.close().then(() => instance.close())
    return closing
  }
  onTestFinished(close)
  return close
}
