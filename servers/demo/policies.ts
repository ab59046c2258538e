import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServerName } from '../server-name.js'

/** Beside `servers/`, and beside `dist/`. */
const FIXTURES = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../fixtures' : '../../../fixtures', import.meta.url),
)

/** The policy of each server's gateway: as published. */
export function publishedPolicies(): Record<ServerName, string> {
  return {
    instanode: fixture('policies/policylayer/instanode.json'),
    safebot: fixture('policies/intercept/safebot.yaml'),
  }
}

/** The demo's own: the published ones hold no call for an approval. */
export function approvalPolicy(): string {
  return fixture('demo/delete-with-approval.yaml')
}

/** As short as the path can be written: the demo shows it. */
function fixture(path: string): string {
  const whole = join(FIXTURES, path)
  const short = relative(process.cwd(), whole)
  return short.startsWith('..') ? whole : short
}
