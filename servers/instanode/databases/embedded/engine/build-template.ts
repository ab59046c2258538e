import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { Clock } from '../../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../../shared/clock/within-limit.js'
import { exitSignal } from '../../../../../shared/util/exit-signals.js'
import { packTemplate, startParameters, TEMPLATE_FILE } from './template.js'

/**
 * Milliseconds in which the build must end. It usually takes 5 s, and counts as hung after a hundred times
 * that.
 */
const LIMIT_MS = 500_000

/**
 * Builds the template: the data directory that every embedded database starts from. It is a step of `npm run
 * build`.
 *
 * Without a template, every new database would need these 5 s. The engine blocks its thread, so it runs in a
 * worker thread. The main thread ends the worker at the time limit or on a signal, and then removes the
 * files.
 *
 * @param folder the directory for the packed template. It is created if it is missing.
 */
async function build(folder: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'understudy-template-'))
  mkdirSync(folder, { recursive: true })
  const packed = join(folder, basename(TEMPLATE_FILE))
  const machine = new Clock()
  const exit = exitSignal()
  const worker = new Worker(new URL(import.meta.url), { workerData: { scratch, packed }, execArgv: [] })
  const built = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', code => {
      if (code === 0) resolve()
      else reject(new Error(`the worker thread of the build has exited with code ${code}`))
    })
  })
  try {
    const what = 'building the template of embedded databases'
    await withinLimit({ machine, ms: LIMIT_MS, what, signal: exit.signal }, () => built)
  } catch (error) {
    rmSync(packed, { force: true })
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}: run the build again\n`)
    process.exitCode = exit.exitCode ?? 1
  } finally {
    await worker.terminate()
    rmSync(scratch, { recursive: true, force: true })
    machine.close()
    exit.stop()
  }
}

interface BuildPaths {
  /** An empty directory for the unpacked data directory. */
  scratch: string
  /** Path of the packed template. */
  packed: string
}

/**
 * Creates the data directory and packs it. Log segments of 1 MB, and the removal of PostgreSQL's own template
 * databases, reduce its size from 39 MB to 14 MB.
 */
async function buildIn({ scratch, packed }: BuildPaths): Promise<void> {
  const directory = join(scratch, 'data')
  const engine = await PGlite.create({
    dataDir: directory,
    extensions: { vector },
    initDbStartParams: ['--wal-segsize=1'],
    startParams: startParameters(0),
  })
  await engine.exec('CREATE EXTENSION vector')
  // The engine crashes when it calls a function for encoding conversion. Without the rows in this catalog,
  // Postgres refuses a conversion with an error instead.
  await engine.exec('DELETE FROM pg_conversion')
  await engine.exec(`UPDATE pg_database SET datistemplate = false WHERE datname LIKE 'template_'`)
  for (const statement of ['DROP DATABASE template1', 'DROP DATABASE template0', 'VACUUM', 'CHECKPOINT'])
    await engine.exec(statement)
  await engine.close()
  writeFileSync(packed, packTemplate(directory))
}

const paths: BuildPaths | null = workerData
if (!isMainThread && paths !== null) await buildIn(paths)
else {
  const [folder] = process.argv.slice(2)
  if (folder === undefined)
    throw new Error('the folder for the template is missing: node build-template.js FOLDER')
  await build(folder)
}
