import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import { FileError, readRegularFile } from '../../../shared/util/read-file.js'
import { looseHandle } from '../domain/model.js'
import { Keys, SECRETS_BYTES } from './keyring.js'

/** As the real client calls them. */
const HANDLE_FILE = 'mcp_identity.json'
const KEY_FILE = 'mcp_identity.key'

const handleFile = z.object({ handle: z.string().transform((text, context) => readHandle(text, context)) })

export interface IdentityFiles {
  /** The folder, e.g. `~/.config/safebot`; made when it is needed. */
  folder: string
  ids: IdSource
  /** Milliseconds since the epoch. */
  now(): number
}

/**
 * The identity that a folder holds: a handle, and 64 bytes of secrets. What is missing of it is made; what is there is never
 * written to.
 *
 * Each file appears whole and is made by one process only, and the handle's comes first. So two processes that begin at once
 * end with the same identity, and one that was stopped half-way is finished by the next.
 *
 * @param handle what it is to be called if the folder does not say
 * @throws Refusal `identity_damaged`, or `identity_unreachable` if the folder cannot be read or written
 */
export async function openIdentity(files: IdentityFiles, handle: string): Promise<Keys> {
  try {
    await mkdir(files.folder, { recursive: true, mode: 0o700 })
    const named = await readOrMake(files, HANDLE_FILE, () =>
      Buffer.from(`${JSON.stringify({ handle, created: files.now() })}\n`),
    )
    const secrets = await readOrMake(files, KEY_FILE, () => files.ids.bytes(SECRETS_BYTES))
    return new Keys(handleIn(named, files), checked(secrets, files))
  } catch (error) {
    if (error instanceof Refusal) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      'identity_unreachable',
      `the identity in ${files.folder} cannot be read or made (${why})`,
      'set HOME to a folder that this user can write to',
    )
  }
}

async function readOrMake(files: IdentityFiles, name: string, make: () => Buffer): Promise<Buffer> {
  const path = join(files.folder, name)
  const known = read(path)
  if (known !== undefined) return known
  const draft = join(files.folder, `.${name}-${process.pid}-${files.ids.hex(8)}`)
  try {
    await writeFile(draft, make(), { mode: 0o600, flag: 'wx' })
    await link(draft, path)
  } catch (error) {
    // Another process was faster: its file is as good as ours.
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readRegularFile(path)
}

function read(path: string): Buffer | undefined {
  try {
    return readRegularFile(path)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error instanceof FileError ? damaged(path, error.message) : error
  }
}

function handleIn(bytes: Buffer, { folder }: IdentityFiles): string {
  try {
    return handleFile.parse(JSON.parse(bytes.toString('utf8'))).handle
  } catch {
    throw damaged(join(folder, HANDLE_FILE), 'it holds no {"handle": …}')
  }
}

function checked(secrets: Buffer, { folder }: IdentityFiles): Buffer {
  if (secrets.length === SECRETS_BYTES) return secrets
  throw damaged(join(folder, KEY_FILE), `it has ${secrets.length} bytes, not ${SECRETS_BYTES}`)
}

function damaged(path: string, why: string): Refusal {
  return new Refusal(
    'identity_damaged',
    `the identity file ${path} is damaged: ${why}`,
    `put back a copy of it, or move ${HANDLE_FILE} and ${KEY_FILE} away to begin anew under another handle`,
  )
}

function readHandle(text: string, context: z.core.$RefinementCtx): string {
  const handle = looseHandle(text)
  if (handle !== undefined) return handle
  context.addIssue('no handle')
  return z.NEVER
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
