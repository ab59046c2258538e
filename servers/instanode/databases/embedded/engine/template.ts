import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { compiled } from '../../../../../shared/util/compiled.js'

/**
 * Version of the engine. A data directory can be opened only by the version that created it. Change this
 * number together with the version in package.json.
 */
export const ENGINE_VERSION = '0.5.14'

/**
 * Path of the packed template, which is next to this module in the built package. Increase the last number
 * when the content of the template changes.
 */
export const TEMPLATE_FILE = compiled(`./template-${ENGINE_VERSION}-2.bin`, import.meta.url)

/**
 * Table of contents of a packed template. The template is one file, compressed with brotli: the length of the
 * table of contents, the table as JSON, and the bytes of all files.
 *
 * The packed file is part of the npm package. The unpacked directory could not be, because npm leaves empty
 * directories out and Postgres needs them.
 */
interface Contents {
  directories: string[]
  files: { path: string; size: number }[]
}

/**
 * Chunk size for unpacking, in bytes. After a free, glibc keeps blocks of up to 32 MB for the thread, so the
 * chunk is larger.
 *
 * With zlib's default chunks of 16 KB, each thread would keep the template's 12 MB twice. Ten databases took
 * 795 MB instead of 680 MB (measured). Pages of the chunk that are not used cost no memory.
 */
const CHUNK_BYTES = 48 * 1024 * 1024

/** Packs a data directory that no engine uses. @returns the content of the template file */
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
    // Quality 11 would make the file a tenth smaller and take fifteen times
    // as long (measured). The window of 16 MB covers the whole input.
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 },
  })
}

/**
 * Creates a data directory from a packed template. Blocks the thread for about 60 ms, so call it in a worker.
 * Writing the 300 small files without blocking takes three times as long (measured).
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
 * Returns the command line for Postgres.
 *
 * `shared_buffers` of 1 MB instead of 128 MB saves 140 MB for each database (measured), so that ten databases
 * fit in memory. The size of the log is limited too. The session runs the checkpoints that keep the log
 * small.
 *
 * @param statementTimeoutMs the `statement_timeout` that Postgres shows, in milliseconds. It has no effect,
 *   because the engine has no timers.
 */
export function startParameters(statementTimeoutMs: number): string[] {
  const settings = {
    shared_buffers: '1MB',
    max_wal_size: '8MB',
    min_wal_size: '2MB',
    // This is PostgreSQL's default, and PGlite's is different.
    search_path: '"$user", public',
    statement_timeout: String(statementTimeoutMs),
  }
  return [...PGlite.defaultStartParams, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
}
