import { describe, expect, it } from 'vitest'
import { builtin, command, rehearse, reportText } from '../../../servers/rehearsal/index.js'
import type { OpenWay } from '../../../servers/rehearsal/via/gateway.js'
import { COMMAND, Command } from '../../support/clients/command.js'
import { MODERN } from '../../support/clients/modern.js'
import { broken, fixturePolicies, policyFile, straightTo, wrongOf } from '../../support/gateway/rehearse.js'

const SAFEBOT = 'policylayer/safebot.json'
const CLAIM_TASK = 'policylayer/safebot.claim-task.json'

describe('a rehearsal at 2026-07-28', () => {
  it.each(fixturePolicies())('carries out %s as written', async name => {
    const rehearsal = await rehearse({ policy: policyFile(name), protocol: MODERN })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal).toMatchObject({ ok: true, protocol: MODERN })
    expect(rehearsal.counts.ok).toBeGreaterThan(10)
  })

  it('makes every request in that revision, and the report names it', async () => {
    const revisions = new Set<string | null | undefined>()
    const mismatches: string[] = []
    const via: OpenWay = async (stage, names, protocol) => {
      const way = await builtin(broken(SAFEBOT, '"1"', '"1"'))(stage, names, protocol)
      return {
        ...way,
        async close() {
          for (const { entry } of stage.arrived(0)) {
            revisions.add(entry.protocol)
            mismatches.push(...(entry.mismatch ?? []))
          }
          await way.close()
        },
      }
    }
    const rehearsal = await rehearse({ policy: policyFile(SAFEBOT), protocol: MODERN, via })
    expect(rehearsal.ok).toBe(true)
    expect([[...revisions], mismatches]).toEqual([[MODERN], []])
    expect(reportText(rehearsal)).toContain('\ncallers speak MCP 2026-07-28\n')
    const notified = rehearsal.rows.find(({ group }) => group === 'safebot: notifications')
    expect(notified).toMatchObject({ mark: 'ok' })
  })

  it('fails without a gateway', async () => {
    const options = { policy: policyFile(SAFEBOT), via: straightTo('safebot'), watchMs: 0 }
    const rehearsal = await rehearse({ ...options, protocol: MODERN })
    expect(wrongOf(rehearsal).join('\n')).toMatch(/one more: is denied by .*, but it reached the upstream/)
  })

  it('uses a gateway on its pipes', async () => {
    const policy = policyFile(CLAIM_TASK)
    const template = [process.execPath, COMMAND, 'gateway', '{policy}', '--upstream', '{upstream}']
    const via = command({ template, policyFile: policy, pipes: true })
    const rehearsal = await rehearse({ policy, via, watchMs: 0, protocol: MODERN })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.counts.ok).toBeGreaterThan(10)
  })
})

describe('understudy rehearse --protocol', () => {
  it('makes callers use the revision', async () => {
    const args = ['rehearse', policyFile(CLAIM_TASK), '--protocol', MODERN]
    const { code, stdout } = await new Command(args).exit
    expect(stdout).toContain('callers speak MCP 2026-07-28')
    expect(stdout).toMatch(/ 0 wrong, /)
    expect(code).toBe(0)
  })

  it('accepts one revision only', async () => {
    const args = ['rehearse', policyFile(CLAIM_TASK), '--protocol', '2026-07-28,2025-11-25']
    const { code, stderr } = await new Command(args).exit
    expect(stderr).toContain(
      '--protocol is "2026-07-28,2025-11-25": the calls of a rehearsal use one revision: name only that one',
    )
    expect(code).toBe(2)
  })
})
