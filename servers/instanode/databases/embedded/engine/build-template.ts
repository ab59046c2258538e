import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { startParameters } from './start-parameters.js'
import { packTemplate } from './template-file.js'
import { TEMPLATE_FILE } from './template-path.js'

/**
 * Run by `npm run build`: makes the data directory that every embedded database starts from, once per engine version.
 *
 * It takes about 5 s, so that a first `create_postgres` need not. Log segments of 1 MB and no template databases make
 * it 14 MB instead of 39. Written aside and renamed, since two builds may run at once.
 */
async function build(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'understudy-template-'))
  try {
    const directory = join(scratch, 'data')
    const engine = await PGlite.create({
      dataDir: directory,
      extensions: { vector },
      initDbStartParams: ['--wal-segsize=1'],
      startParams: startParameters(0),
    })
    await engine.exec('CREATE EXTENSION vector')
    await engine.exec(`UPDATE pg_database SET datistemplate = false WHERE datname LIKE 'template_'`)
    for (const statement of ['DROP DATABASE template1', 'DROP DATABASE template0', 'VACUUM', 'CHECKPOINT'])
      await engine.exec(statement)
    await engine.close()
    const packed = join(dirname(TEMPLATE_FILE), `.template-${process.pid}`)
    writeFileSync(packed, packTemplate(directory))
    renameSync(packed, TEMPLATE_FILE)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

if (!existsSync(TEMPLATE_FILE)) await build()
