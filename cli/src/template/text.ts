// What is known of a text. A hole in it is a name, of a resource's attribute or of a pseudo parameter, between two NULs,
// which nobody writes in a template.

export function hole(name: string) {
  return `\0${name}\0`
}

/** The names in the holes of a text: `Queue.Arn`, `AWS::Region`. */
export function holesOf(text: string): string[] {
  return Array.from(text.matchAll(/\0([^\0]*)\0/g), ([, name = '']) => name)
}

/** The parts between colons, as ARNs have them. Holes and dynamic references have colons of their own. */
export function partsOf(text: string): string[] {
  return text.match(/(?:\0[^\0]*\0|{{resolve:[^}]*}}|[^:\0])+|(?<=:|^)(?=:|$)/g) ?? []
}

/** A text as a person would write it, with ${…} for its holes. */
export function readable(text: string) {
  return text.replaceAll(/\0([^\0]*)\0/g, '$${$1}')
}

/** What CloudFormation gives every template; only a deployment knows the values. */
export const PSEUDO_PARAMETERS: readonly string[] = [
  'AWS::AccountId',
  'AWS::NotificationARNs',
  'AWS::Partition',
  'AWS::Region',
  'AWS::StackId',
  'AWS::StackName',
  'AWS::URLSuffix',
]

/** Those whose values have no colon, whatever they are. */
const WITHOUT_COLON = /^AWS::(AccountId|Partition|Region|StackName|URLSuffix)$/
/** Whether the colons of a text are known, though not all of the text is. */
export function splitsAtColons(text: string) {
  return !text.includes('{{resolve:') && holesOf(text).every((name) => WITHOUT_COLON.test(name))
}

function reasonOf(name: string): string {
  return name.startsWith('AWS::')
    ? `${name} is known only to a deployment (--parameter ${name}=… gives it)`
    : `${name} is known only once it is deployed`
}

/** Why a text is not known to the last character, or undefined where it is. */
export function gapOf(text: string): string | undefined {
  if (text.includes('{{resolve:')) return 'it is a dynamic reference ({{resolve:…}})'
  const [name] = holesOf(text)
  return name === undefined ? undefined : reasonOf(name)
}
