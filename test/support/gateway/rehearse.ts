import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { readPolicy } from '../../../servers/gateway/policy/index.js'
import type { Policy } from '../../../servers/gateway/policy/model.js'
import type { Rehearsal } from '../../../servers/rehearsal/index.js'
import { url } from '../../../servers/rehearsal/index.js'
import type { OpenWay } from '../../../servers/rehearsal/via/gateway.js'

const ROOT = join(import.meta.dirname, '../../..')

/** The policies of fixtures/, by the path below it. */
export function fixturePolicies(): string[] {
  return ['policylayer', 'intercept'].flatMap(dialect =>
    readdirSync(join(ROOT, 'fixtures/policies', dialect)).map(file => `${dialect}/${file}`),
  )
}

export function policyFile(name: string): string {
  return join(ROOT, 'fixtures/policies', name)
}

/** A policy of fixtures/, with one part of its text put another way. */
export function broken(name: string, part: string, other: string): Policy {
  const text = readFileSync(policyFile(name), 'utf8')
  if (!text.includes(part)) throw new Error(`${name} has no ${part}`)
  return readPolicy(text.replace(part, other), name).policy
}

/** A file that is gone when the test is over. */
export async function temporaryFile(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

/** No gateway at all. */
export function straightTo(server: 'instanode' | 'safebot'): OpenWay {
  return (stage, names, protocol) => url(stage.upstream(server))(stage, names, protocol)
}

/** Returns the failures as `step: why`. */
export function wrongOf({ rows }: Rehearsal): string[] {
  return rows.filter(({ mark }) => mark === 'wrong').map(({ step, why }) => `${step}: ${why}`)
}
