import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { DirectoryLock } from '../../../../servers/instanode/databases/embedded/data-directory.js'
import { removeAbandonedDirectories } from '../../../../servers/instanode/databases/embedded/temporary-directory.js'

/** No process has it: it is above the largest id that Linux gives. */
const NO_PID = 4_194_305

describe('the temporary directories of embedded databases', () => {
  let parent: string
  /** Of a lock of this process: its id, its start, its PID namespace. */
  let own: string[]

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'understudy-test-'))
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
    const lock = DirectoryLock.take(parent)
    own = readFileSync(join(parent, 'lock'), 'utf8').trim().split(' ')
    lock.release()
  })

  const directory = (name: string, lock?: string) => {
    const path = join(parent, name)
    mkdirSync(join(path, 'data_0123456789abcdef', 'base'), { recursive: true })
    writeFileSync(join(path, 'data_0123456789abcdef', 'base', '1'), 'rows')
    if (lock !== undefined) writeFileSync(join(path, 'lock'), `${lock}\n`)
    return path
  }
  const gone = () => `${NO_PID} 1 ${own[2]}`

  it('are removed when their process has ended', async () => {
    const path = directory('understudy-databases-aB3xYz', gone())
    await removeAbandonedDirectories(parent)
    expect(existsSync(path)).toBe(false)
  })

  it('are removed when another process has the same id', async () => {
    const [byParent, byThis] = [
      directory('understudy-databases-aaaaaa', `${process.ppid} 1 ${own[2]}`),
      directory('understudy-databases-bbbbbb', `${process.pid} 1 ${own[2]}`),
    ]
    await removeAbandonedDirectories(parent)
    expect([byParent, byThis].map(path => existsSync(path))).toEqual([false, false])
  })

  it('are removed once by several concurrent starts', async () => {
    const paths = ['1', '2', '3'].map(n => directory(`understudy-databases-aaaaa${n}`, gone()))
    await Promise.all(Array.from({ length: 4 }, () => removeAbandonedDirectories(parent)))
    expect(paths.filter(path => existsSync(path))).toEqual([])
  })

  it.each([
    ['whose process runs', 'understudy-databases-aaaaaa', () => own.join(' ')],
    ['of another PID namespace', 'understudy-databases-aaaaaa', () => `${NO_PID} 1 pid:[1]`],
    ['of an earlier release, which named no namespace', 'understudy-databases-aaaaaa', () => `${NO_PID} 1`],
    ['without a lock', 'understudy-databases-aaaaaa', () => undefined],
    ['with an unreadable lock', 'understudy-databases-aaaaaa', () => 'what'],
    ['with another name', 'understudy-databases-mine', gone],
    ['of other software', 'databases-aaaaaa', gone],
  ])('are kept: those %s', async (_which, name, lock) => {
    const path = directory(name, lock())
    await removeAbandonedDirectories(parent)
    expect(existsSync(join(path, 'data_0123456789abcdef', 'base', '1'))).toBe(true)
  })

  it('are not removed through a symbolic link', async () => {
    const elsewhere = directory('elsewhere', gone())
    symlinkSync(elsewhere, join(parent, 'understudy-databases-aaaaaa'))
    await removeAbandonedDirectories(parent)
    expect(existsSync(join(elsewhere, 'lock'))).toBe(true)
  })

  it('do not prevent a start if their parent folder does not exist', async () => {
    await expect(removeAbandonedDirectories(join(parent, 'nowhere'))).resolves.toBeUndefined()
  })
})
