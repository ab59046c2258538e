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
 * Milliseconds that the build may take. It takes 5 s as a rule. After a hundred times that it counts as hung.
 */
const LIMIT_MS = 500_000

/**
 * Builds the data directory that every embedded database starts from, as a step of `npm run build`.
 *
 * The build takes about 5 s, which the first `create_postgres` saves. The engine blocks its thread, so it
 * runs in a thread that this one can end: at the limit or on a signal. Nothing is left behind then.
 *
 * @param folder receives the packed template, and is created if it is missing
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
      else reject(new Error(`the engine's thread ended with code ${code}`))
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
  /** An empty directory for temporary files. */
  scratch: string
  /** Path of the packed template. */
  packed: string
}

/**
 * Creates and packs the data directory. Log segments of 1 MB and no template databases shrink it from 39 MB
 * to 14 MB.
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
  // The functions behind conversions end the engine. Without its row in the catalog a conversion is refused
  // with an error.
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
  if (folder === undefined) throw new Error('build-template needs the folder that gets the template')
  await build(folder)
}
