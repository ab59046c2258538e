import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readGrantsFile } from '../../../servers/gateway/grants.js'
import { readPolicyFile } from '../../../servers/gateway/policy/read-policy.js'
import { DirectoryLock } from '../../../servers/instanode/databases/embedded/data-directory.js'
import { IndexFile } from '../../../servers/instanode/databases/embedded/index-file.js'
import { readScenarioFile } from '../../../servers/rehearsal/scenario.js'
import { openIdentity } from '../../../servers/safebot/client/keyring.js'
import { readAttacks } from '../../../servers/understudy/attacks.js'
import { readWorld } from '../../../servers/understudy/read-world.js'
import { IdSource } from '../../../shared/ids.js'
import { MAX_FILE_BYTES, readRegularFile } from '../../../shared/util/read-file.js'

/** A folder that is gone when the test is over. */
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'understudy-read-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

function pipe(name: string): string {
  const path = join(folder(), name)
  execFileSync('mkfifo', [path])
  return path
}

/** 25 lines as a system's file of passwords has them. */
const PASSWORDS = Array.from({ length: 25 }, (_, at) => `user${at}:*:19000:0:99999:7:::\n`).join('')

describe('a file that is read', () => {
  it('can have 4 MiB and no byte more', () => {
    const path = join(folder(), 'file')
    writeFileSync(path, Buffer.alloc(MAX_FILE_BYTES, 'x'))
    expect(readRegularFile(path)).toHaveLength(MAX_FILE_BYTES)
    writeFileSync(path, 'x', { flag: 'a' })
    expect(() => readRegularFile(path)).toThrow('it has more than 4194304 bytes (4 MiB)')
  })

  it.each([
    ['a directory', tmpdir(), 'not_regular', 'it is a directory: name a file in it'],
    ['a device', '/dev/zero', 'not_regular', 'it is a device, a pipe or a socket: name a file'],
    ['nothing', '/nowhere/at/all', 'ENOENT', 'ENOENT: no such file or directory'],
  ])('cannot be %s', (_, path, code, message) => {
    expect(() => readRegularFile(path)).toThrow(expect.objectContaining({ code, message }))
  })

  it('cannot be a pipe, which might never begin', () => {
    expect(() => readRegularFile(pipe('pipe'))).toThrow('it is a device, a pipe or a socket')
  })
})

describe('a pipe in place of a file', () => {
  it.each([
    ['a world', 'world.yaml', (path: string) => readWorld(path), 'unreadable_world'],
    ['a policy', 'policy.json', (path: string) => readPolicyFile(path), 'policy_file'],
    ['a scenario', 'scenario.yaml', (path: string) => readScenarioFile(path), 'unreadable_scenario'],
    ['a grants file', 'grants.json', (path: string) => readGrantsFile(path), 'bad_grants'],
    [
      'an identity',
      'mcp_identity.json',
      (path: string) =>
        openIdentity({ folder: join(path, '..'), ids: new IdSource('s'), now: () => 0 }, 'me'),
      'identity_damaged',
    ],
    [
      'the list of a data directory',
      'databases.json',
      (path: string) => new IndexFile(join(path, '..')).read(),
      'bad_data_directory',
    ],
    [
      'the lock of a data directory',
      'lock',
      async (path: string) => DirectoryLock.take(join(path, '..')),
      'bad_data_directory',
    ],
  ])('%s is refused at once', async (_, name, read, code) => {
    await expect(read(pipe(name))).rejects.toMatchObject({
      code,
      message: expect.stringContaining('it is a device, a pipe or a socket'),
    })
  })

  it('an attack is refused as an unknown name', async () => {
    await expect(readAttacks([pipe('attack.json')])).rejects.toMatchObject({ code: 'unknown_attack' })
  })
})

describe('an error about a file', () => {
  it.each([
    ['a world', 'world.yaml', (path: string) => readWorld(path)],
    ['a scenario', 'scenario.yaml', (path: string) => readScenarioFile(path)],
    ['a world in JSON', 'world.json', (path: string) => readWorld(path)],
    ['a grants file', 'grants.json', (path: string) => readGrantsFile(path)],
  ])('quotes no more than 80 characters of %s', async (_, name, read) => {
    const path = join(folder(), name)
    writeFileSync(path, PASSWORDS)
    const error = await read(path).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).not.toContain('user3')
  })

  it('quotes no more than 80 characters of a line of a policy', async () => {
    const path = join(folder(), 'policy.yaml')
    writeFileSync(path, `version: "1"\n"${'k'.repeat(1000)}": 1\n"${'k'.repeat(1000)}": 2\n`)
    const error = await readPolicyFile(path).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('kkk')
    expect(String(error)).not.toContain('k'.repeat(81))
  })

  it('lists twenty of many problems', async () => {
    const path = join(folder(), 'world.json')
    writeFileSync(path, JSON.stringify({ rooms: Array.from({ length: 500 }, () => ({ colour: 'red' })) }))
    await expect(readWorld(path)).rejects.toThrow(/world\.rooms\[9\].*; and 980 more$/s)
  })
})
