import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { startParameters } from './start-parameters.js'
import { packTemplate } from './template-file.js'
import { TEMPLATE_FILE } from './template-path.js'

/**
 * Builds the data directory that every embedded database starts from, as a step of `npm run build`.
 *
 * It takes about 5 s, so that a first `create_postgres` need not. Log segments of 1 MB and no template databases make
 * it 14 MB instead of 39.
 *
 * @param folder gets the packed template; it is made if it is missing
 */
async function build(folder: string): Promise<void> {
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
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, basename(TEMPLATE_FILE)), packTemplate(directory))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('build-template needs the folder that gets the template')
await build(folder)
