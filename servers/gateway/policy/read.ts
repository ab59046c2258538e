import { dialectOf } from './dialect.js'
import { passesGuard } from './guard.js'
import { readIntercept } from './intercept.js'
import { readJsonText } from './json-text.js'
import type { Dialect, Policy, PolicyReading } from './model.js'
import { readPage } from './page.js'
import { Place } from './place.js'
import { readPolicyLayer } from './policylayer.js'
import { Findings, PolicyRefusal } from './problems.js'
import { readYamlText } from './yaml-text.js'

const READERS: Record<Dialect, (root: Place) => Policy | undefined> = {
  intercept: readIntercept,
  policylayer: readPolicyLayer,
  'policylayer-page': readPage,
}

/**
 * Reads a policy in whichever dialect it is, strictly: a text that is not wholly understood is no policy at all.
 *
 * @param fileName for messages; its ending tells JSON from YAML, or else whether the text begins with a brace
 * @throws PolicyRefusal with everything that is wrong, each with line, key and remedy
 */
export function readPolicy(text: string, fileName: string): PolicyReading {
  const findings = new Findings()
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  const isJson = isMeantAsJson(source, fileName)
  const parse = isJson ? readJsonText : readYamlText
  const root = passesGuard(source, findings) ? parse(source, findings) : undefined
  if (root?.kind !== 'map') {
    findings.settle(fileName)
    throw new PolicyRefusal(fileName, [
      {
        line: root?.line ?? 1,
        key: '',
        message: 'the text is no map',
        remedy: 'a policy has keys such as version, default and tools',
      },
    ])
  }
  const dialect = dialectOf(root, isJson)
  const policy = READERS[dialect](new Place(root, '', findings))
  findings.settle(fileName)
  if (policy === undefined) throw new Error('a policy was neither read nor refused')
  if (dialect === 'policylayer' && !isJson) {
    const message = 'This is a policy of PolicyLayer in YAML: PolicyLayer itself takes JSON'
    findings.warn({ code: 'policylayer_yaml', level: 'warning', message, line: root.line })
  }
  return { dialect, policy, warnings: findings.warnings }
}

function isMeantAsJson(text: string, fileName: string): boolean {
  const [, extension] = /\.(json|ya?ml)$/i.exec(fileName) ?? []
  return extension === undefined ? text.trimStart().startsWith('{') : extension.toLowerCase() === 'json'
}
