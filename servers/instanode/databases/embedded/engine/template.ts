import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { compiled } from '../../../../../shared/util/compiled.js'

/**
 * Version of the engine. Another build of Postgres cannot open the template's data directory. Change it with
 * package.json.
 */
export const ENGINE_VERSION = '0.5.14'

/** The packed template, beside this module in the built package. The number after the version is its own. */
export const TEMPLATE_FILE = compiled(`./template-${ENGINE_VERSION}-2.bin`, import.meta.url)

/**
 * A data directory in one file: the length of a JSON table of contents, the table and the bytes of the files,
 * compressed with brotli.
 *
 * It is not a tar file: the tarballs of a package registry drop empty directories, and Postgres needs them.
 */
interface Contents {
  directories: string[]
  files: { path: string; size: number }[]
}

/**
 * Chunk size for unpacking, in bytes. It is above 32 MB, the most that glibc keeps for a thread after a free.
 *
 * With zlib's usual chunks of 16 KB, the template's 12 MB stay in every thread twice: ten databases took 795
 * MB instead of 680 MB. Untouched pages cost nothing.
 */
const CHUNK_BYTES = 48 * 1024 * 1024

/** Packs a closed data directory. */
export function packTemplate(directory: string): Buffer {
  const contents: Contents = { directories: [], files: [] }
  const bodies: Buffer[] = []
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    if (statSync(join(directory, path)).isDirectory()) contents.directories.push(path)
    else {
      const body = readFileSync(join(directory, path))
      contents.files.push({ path, size: body.length })
      bodies.push(body)
    }
  }
  const table = Buffer.from(JSON.stringify(contents))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(table.length)
  return brotliCompressSync(Buffer.concat([length, table, ...bodies]), {
    // Quality 9 is within a tenth of 11 here, in a fifteenth of the time. A window of 16 MB covers the whole
    // input.
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 },
  })
}

/**
 * Creates `directory` from a packed template. Run it in a worker: it blocks for about 60 ms. 300 small writes
 * through Node's thread pool take three times as long.
 */
export function unpackTemplate(template: string, directory: string): void {
  const packed = brotliDecompressSync(readFileSync(template), { chunkSize: CHUNK_BYTES })
  const length = packed.readUInt32BE(0)
  const contents = readContents(packed.subarray(4, 4 + length).toString())
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const path of contents.directories) mkdirSync(join(directory, path), { mode: 0o700 })
  let at = 4 + length
  for (const { path, size } of contents.files) {
    writeFileSync(join(directory, path), packed.subarray(at, at + size), { mode: 0o600 })
    at += size
  }
}

function readContents(text: string): Contents {
  const contents: Contents = JSON.parse(text)
  return contents
}

/**
 * Returns the engine's command line.
 *
 * `shared_buffers` of 1 MB instead of 128 MB saves 140 MB a database (measured), so that ten databases fit in
 * memory. The log is kept small: the session checkpoints it, and it does not count as the user's data.
 *
 * @param statementTimeoutMs shown to the user. The engine has no timers that fire.
 */
export function startParameters(statementTimeoutMs: number): string[] {
  const settings = {
    shared_buffers: '1MB',
    max_wal_size: '8MB',
    min_wal_size: '2MB',
    // PostgreSQL's own default. The engine has another one.
    search_path: '"$user", public',
    statement_timeout: String(statementTimeoutMs),
  }
  return [...PGlite.defaultStartParams, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
}
