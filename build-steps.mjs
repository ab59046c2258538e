// @ts-check
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * One step of a build.
 *
 * @typedef {object} Step
 * @property {string} name file name of the step's record
 * @property {string} does what the step does, as printed: "compile TypeScript"
 * @property {string[]} inputs files and folders, relative to the root. `!path` leaves out a file or folder
 * @property {(staging: string) => Promise<void>} run writes all outputs of the step into the empty folder `staging`
 */

/**
 * The record of a step's last run.
 *
 * @typedef {object} BuildRecord
 * @property {string} inputs fingerprint of the inputs
 * @property {Record<string, number>} outputs size in bytes of each output, by its path in the output folder
 */

/** The build's own files, in the output folder: a record for each step, the lock, the staging folder. */
const STATE = '.build'

/**
 * Runs the steps whose inputs have changed or whose outputs are missing, in order, and deletes all other files from `out`.
 *
 * A step writes into a staging folder. Its record is deleted, its outputs are moved to `out`, and a new record is written.
 * A build that is killed therefore leaves no record for a step that is half done. A lock makes two builds run one after the other.
 *
 * @param {Step[]} steps a step may use the outputs of earlier steps
 * @param {{ root: string, out: string, print: (text: string) => void }} options `root` is the folder of the inputs. `out` is the output folder
 * @returns {Promise<void>}
 * @throws {Error} names the step that failed. Later steps do not run
 */
export async function runSteps(steps, { root, out, print }) {
  const state = join(out, STATE)
  mkdirSync(state, { recursive: true })
  const unlock = await acquireLock(join(state, 'lock'), print)
  try {
    let changed = false
    for (const step of steps) {
      const inputs = fingerprint(root, step.inputs)
      if (isBuilt(readRecord(recordFile(step)), inputs)) continue
      changed = true
      print(`build: ${step.does} … `)
      const start = performance.now()
      await build(step, inputs)
      print(`${((performance.now() - start) / 1000).toFixed(1)} s\n`)
    }
    deleteStaleFiles()
    if (!changed) print('build: unchanged\n')
  } finally {
    unlock()
  }

  /** @param {Step} step */
  function recordFile({ name }) {
    return join(state, `${name}.json`)
  }

  /**
   * @param {BuildRecord | undefined} record
   * @param {string} inputs
   */
  function isBuilt(record, inputs) {
    if (record?.inputs !== inputs) return false
    return Object.entries(record.outputs).every(
      ([path, size]) => statSync(join(out, path), { throwIfNoEntry: false })?.size === size,
    )
  }

  /**
   * @param {Step} step
   * @param {string} inputs
   */
  async function build(step, inputs) {
    // The name is this process's own: a compiler that outlives a killed build still writes to the folder of that build.
    const staging = join(state, `staging-${process.pid}`)
    rmSync(staging, { recursive: true, force: true })
    mkdirSync(staging)
    try {
      await step.run(staging)
    } catch (error) {
      print('failed\n')
      rmSync(staging, { recursive: true, force: true })
      throw new Error(`cannot ${step.does}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
    rmSync(recordFile(step), { force: true })
    /** @type {Record<string, number>} */
    const outputs = {}
    for (const path of filesBelow(staging)) {
      outputs[path] = statSync(join(staging, path)).size
      mkdirSync(dirname(join(out, path)), { recursive: true })
      renameSync(join(staging, path), join(out, path))
    }
    rmSync(staging, { recursive: true, force: true })
    // Renamed, so that a record is either whole or not there.
    writeFileSync(`${recordFile(step)}.new`, JSON.stringify({ inputs, outputs }))
    renameSync(`${recordFile(step)}.new`, recordFile(step))
  }

  /** Deletes the files that no step has made: outputs of deleted sources, and the leftovers of a killed build. */
  function deleteStaleFiles() {
    const kept = new Set()
    for (const step of steps) {
      kept.add(join(STATE, `${step.name}.json`))
      for (const path of Object.keys(readRecord(recordFile(step))?.outputs ?? {})) kept.add(path)
    }
    for (const path of filesBelow(out)) {
      if (kept.has(path) || path.startsWith(join(STATE, 'lock'))) continue
      rmSync(join(out, path), { force: true })
      deleteEmptyFolders(dirname(path))
    }
  }

  /** @param {string} folder in `out`; its parents follow */
  function deleteEmptyFolders(folder) {
    for (let at = folder; at !== '.' && readdirSync(join(out, at)).length === 0; at = dirname(at))
      rmdirSync(join(out, at))
  }
}

/**
 * Hashes the Node version and the paths and contents of all input files.
 *
 * @param {string} root
 * @param {string[]} inputs
 */
function fingerprint(root, inputs) {
  const hash = createHash('sha256').update(process.version)
  const excluded = inputs.filter(path => path.startsWith('!')).map(path => join(root, path.slice(1)))
  for (const input of inputs.filter(path => !path.startsWith('!'))) {
    const place = join(root, input)
    const files = statSync(place).isDirectory() ? filesBelow(place).map(path => join(place, path)) : [place]
    for (const file of files) {
      if (excluded.some(path => file === path || file.startsWith(join(path, '/')))) continue
      const content = readFileSync(file)
      hash.update(`\0${file.slice(root.length)}\0${content.length}\0`).update(content)
    }
  }
  return hash.digest('hex')
}

/**
 * Lists all files below a folder, relative to it, in a fixed order.
 *
 * @param {string} folder
 */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(join(folder, '/').length))
    .sort()
}

/**
 * @param {string} file
 * @returns {BuildRecord | undefined}
 */
function readRecord(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** The locks of this process, which may have the id of a dead process that left its lock behind. */
const held = new Set()

/**
 * Waits until no other build has the lock, and takes it. The lock is a file with the id of its process.
 *
 * @param {string} file
 * @param {(text: string) => void} print
 * @returns {Promise<() => void>} releases the lock
 */
async function acquireLock(file, print) {
  for (let waiting = false; ; ) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      held.add(file)
      return () => {
        held.delete(file)
        rmSync(file, { force: true })
      }
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    const pid = readLock(file)
    if (pid === undefined) continue
    if (isRunning(pid, file)) {
      if (!waiting)
        print(`build: waiting for another build (process ${pid}; if it is no build, delete ${file})\n`)
      waiting = true
      await sleep(100)
    } else removeLockOf(pid, file)
  }
}

/**
 * Removes the lock of a dead process. Another build may have done so and taken the lock since it was read: that lock is put back.
 *
 * @param {number} pid
 * @param {string} file
 */
function removeLockOf(pid, file) {
  const aside = `${file}-${process.pid}`
  try {
    renameSync(file, aside)
    if (readLock(aside) === pid) rmSync(aside)
    else renameSync(aside, file)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/**
 * @param {number} pid of the process that has the lock
 * @param {string} file
 */
function isRunning(pid, file) {
  if (pid === process.pid) return held.has(file)
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * @param {string} file
 * @returns {number | undefined} undefined if there is no lock; 0 if its process has written no id yet
 */
function readLock(file) {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
