import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { rpc } from '../../support/clients/raw-http.js'

const PROGRAM = join(import.meta.dirname, '../../support/servers/stdio-host.mjs')

/** The arguments of a Safebot whose every call meets the fault. */
function faulty(action: object): string[] {
  const fault = { server: 'safebot', tool: '*', when: { always: true }, do: action }
  return ['safebot', JSON.stringify({ faults: [fault] })]
}

const list = rpc('tools/list', {}, 'before')
const create = rpc('tools/call', { name: 'create_room', arguments: {} }, 'call')

/** Sends a list of tools and a call with the fault to the command. Returns its answers and its exit. */
async function meet(action: object, ...args: string[]) {
  const command = new Command([...faulty(action), ...args], {}, PROGRAM)
  command.say(list)
  await command.lines(1)
  command.say(create)
  const { code, stdout, stderr } = await command.exit
  const [before = '', ...rest] = stdout.split('\n')
  expect(JSON.parse(before)).toMatchObject({ id: 'before', result: { tools: { length: 8 } } })
  return { code, rest: rest.join('\n'), stderr }
}

it('a crash ends the process with exit code 70 and no answer, and the journal has it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'faults-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const file = join(dir, 'journal.jsonl')
  expect(await meet({ crash: true }, '--journal', file)).toEqual({ code: 70, rest: '', stderr: '' })
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines.map(line => JSON.parse(line).outcome)).toEqual(['ok', 'fault'])
})

it('a cut connection on a pipe ends the command in good order', async () => {
  expect(await meet({ drop: 'before' })).toEqual({ code: 0, rest: '', stderr: '' })
})

it('an answer that is cut in the middle has no end of line', async () => {
  const { code, rest, stderr } = await meet({ malformed: 'truncated' })
  expect([code, stderr]).toEqual([0, ''])
  expect(rest).toMatch(/^\{"jsonrpc":"2\.0","id":"call"[^\n]+$/)
})

it('a call that hangs does not stop the command from ending', async () => {
  const command = new Command(faulty({ hang: true }), {}, PROGRAM)
  command.say(create)
  command.say(list)
  await command.lines(1)
  command.process.stdin.end()
  const { code, stdout } = await command.exit
  expect([code, stdout.trim()]).toEqual([0, expect.stringMatching(/^[^\n]*"id":"before"[^\n]*$/)])
})
