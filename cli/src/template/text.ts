// What is known of a text. A hole in it is a name, of a resource's attribute or of a pseudo parameter, between two NULs,
// which nobody writes in a template.

export const hole = (name: string) => `\0${name}\0`
/** The names in the holes of a text: `Queue.Arn`, `AWS::Region`. */
export const holesOf = (text: string): string[] => Array.from(text.matchAll(/\0([^\0]*)\0/g), ([, name = '']) => name)
/** A text as a person would write it, with ${…} for its holes. */
export const readable = (text: string) => text.replaceAll(/\0([^\0]*)\0/g, '$${$1}')

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

const reasonOf = (name: string): string =>
  name.startsWith('AWS::')
    ? `${name} is known only to a deployment (--parameter ${name}=… gives it)`
    : `${name} is known only once it is deployed`

/** Why a text is not known to the last character, or undefined where it is. */
export const gapOf = (text: string): string | undefined => {
  const [name] = holesOf(text)
  return name === undefined ? undefined : reasonOf(name)
}
