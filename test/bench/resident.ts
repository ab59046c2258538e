import { execFileSync } from 'node:child_process'

/** The resident memory of a process, in MB of 1,000,000 bytes. */
export function residentMb(pid: number | undefined): number {
  if (pid === undefined) throw new Error('the process is not running')
  // ps counts in KiB.
  return (Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024) / 1e6
}
