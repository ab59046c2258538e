import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { codeOf, connected } from '../support/databases/databases.js'
import { until } from '../support/until.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const
const SUPPORT = join(import.meta.dirname, '../support/run')

/** Starts a process that starts `node` with `args` and waits. */
async function parentOf(...args: string[]) {
  const program = `
    const { spawn } = require('node:child_process')
    spawn(process.execPath, ${JSON.stringify(args)}, { detached: true, stdio: ['pipe', 'inherit', 'inherit'] })`
  const parent = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  // Both hold its output: it closes once both have ended.
  const ended = once(parent.stdout, 'close')
  const line = await new Promise<string>(resolve => {
    createInterface({ input: parent.stdout }).once('line', resolve)
  })
  return {
    /** The first line that the child has printed. */
    line,
    /** Ends the parent. Resolves once the child has ended as well. */
    async end(signal: NodeJS.Signals): Promise<void> {
      parent.kill(signal)
      await ended
    },
  }
}

async function keeperOfParent() {
  const { line, end } = await parentOf(join(SUPPORT, 'keeper.mjs'))
  const { folder, url }: { folder: string; url: string } = JSON.parse(line)
  return { folder, end, ask: (path: string) => fetch(new URL(path, url), { method: 'POST' }) }
}

describe('the keeper of a test run', () => {
  it.each(SIGNALS)('stops its servers and removes its folder when its parent ends by %s', async signal => {
    const { folder, ask, end } = await keeperOfParent()
    const urlOf = async (path: string) => (await ask(path)).text()
    const [shared, again, own] = await Promise.all([urlOf('/shared'), urlOf('/shared'), urlOf('/own')])
    expect([again === shared, own === shared]).toEqual([true, false])
    const clients = await Promise.all([connected(shared), connected(own)])
    await end(signal)
    await Promise.all(clients.map(client => client.ended))
    expect(existsSync(folder)).toBe(false)
    expect(await codeOf(connected(shared))).toBe('ECONNREFUSED')
  })

  it('ends while a server is being created', async () => {
    const { folder, ask, end } = await keeperOfParent()
    const status = ask('/own').then(
      answer => answer.status,
      () => undefined,
    )
    await until(() => readdirSync(folder).length > 0)
    await end('SIGKILL')
    expect(existsSync(folder)).toBe(false)
    expect(await status).not.toBe(200)
  })
})

describe('a program that a test starts', () => {
  it.each(SIGNALS)('ends when its parent ends by %s', async signal => {
    const forever = 'console.log("runs"); setInterval(() => {}, 1000)'
    const { line, end } = await parentOf('--import', join(SUPPORT, 'end-with-parent.mjs'), '-e', forever)
    expect(line).toBe('runs')
    await end(signal)
  })
})
