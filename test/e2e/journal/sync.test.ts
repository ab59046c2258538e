import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/understudy.js'
import { Command } from '../../support/clients/command.js'
import { rpc } from '../../support/clients/raw-http.js'

async function journalFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return join(folder, 'journal.jsonl')
}

/** The entries of the file, by what was called. */
function entriesIn(path: string): { method: string; tool: string | null; outcome: string }[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

const LAST = 'the last call'

const PRELOAD = new URL('../../support/clients/die-behind-answer.mjs', import.meta.url).href

/** A server that is killed the moment its answer to `LAST` is with the kernel. */
function doomed(...args: string[]): Command {
  return new Command(args, { NODE_OPTIONS: `--import ${PRELOAD}`, DIE_BEHIND: LAST })
}

const lastCall = () => rpc('tools/call', { name: 'create_room', arguments: {} }, LAST)

/** Returns the answer up to the end of the connection. */
async function answerTo(url: string, body: object, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  } catch {
    // The server has died.
  }
  return text
}

describe('the journal file with --journal-sync', { timeout: 60_000 }, () => {
  it.each([
    ['MCP as JSON', { accept: 'application/json' }],
    ['MCP as a stream', { accept: 'text/event-stream' }],
  ])('has the answered call after SIGKILL: %s', async (_what, headers) => {
    const path = await journalFile()
    const command = doomed('up', '--safebot-port', '0', '--json', '--journal', path, '--journal-sync')
    const { safebot } = JSON.parse((await command.lines(1))[0] ?? '')
    expect(await answerTo(safebot.mcp, lastCall(), headers)).toContain(`"id":"${LAST}"`)
    await command.exit
    expect(command.process.signalCode).toBe('SIGKILL')
    expect(entriesIn(path)).toMatchObject([{ method: 'tools/call', tool: 'create_room', outcome: 'ok' }])
  })

  it('has the answered request after SIGKILL: the HTTP API', async () => {
    const path = await journalFile()
    const command = doomed('up', '--safebot-port', '0', '--json', '--journal', path, '--journal-sync')
    const { instanode } = JSON.parse((await command.lines(1))[0] ?? '')
    expect(await answerTo(`${instanode.api}/webhook/new`, { name: LAST })).toContain(LAST)
    await command.exit
    expect(command.process.signalCode).toBe('SIGKILL')
    expect(entriesIn(path)).toMatchObject([{ method: 'POST /webhook/new', outcome: 'ok' }])
  })

  it('has the answered call after SIGKILL: stdio', async () => {
    const path = await journalFile()
    const command = doomed('safebot', '--journal', path, '--journal-sync')
    command.say(lastCall())
    const { stdout } = await command.exit
    expect(stdout).toContain(`"id":"${LAST}"`)
    expect(command.process.signalCode).toBe('SIGKILL')
    expect(entriesIn(path)).toMatchObject([{ method: 'tools/call', tool: 'create_room', outcome: 'ok' }])
  })

  it('has a call in memory when that is answered', async () => {
    const path = await journalFile()
    const understudy = await createUnderstudy({ journalFile: path, journalSync: true })
    onTestFinished(() => understudy.close())
    const client = await understudy.safebot.connect()
    await client.callTool({ name: 'create_room', arguments: {} })
    expect(entriesIn(path).at(-1)).toMatchObject({ tool: 'create_room', outcome: 'ok' })
  })

  it('requires a file', async () => {
    const { code, stderr } = await new Command(['up', '--journal-sync']).exit
    expect(stderr).toBe('understudy: --journal-sync has no journal file: add --journal FILE\n')
    expect(code).toBe(2)
    await expect(createUnderstudy({ journalSync: true })).rejects.toMatchObject({ code: 'journal_sync' })
  })
})
