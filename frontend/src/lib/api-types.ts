/** The words of the API that the screens use, taken from the generated schema by path, so that a change of a component's name there breaks nothing here. */
import type { paths } from '@/lib/api-schema';

type Answer<P extends keyof paths> = paths[P] extends {
  get: { responses: { 200: { content: { 'application/json': infer Body } } } };
}
  ? Body
  : never;

export type Session = Answer<'/api/v1/session/'>;
export type Board = Answer<'/api/v1/board/'>;
export type Doubt = Board['doubts'][number];
export type BoardFeed = Board['feeds'][number];
export type PatientPage = Answer<'/api/v1/patients/'>;
export type BoardItem = PatientPage['results'][number];
export type State = BoardItem['state'];
export type Departments = Answer<'/api/v1/departments/'>;
export type Department = Departments['results'][number];
export type Patient = Answer<'/api/v1/patients/{id}/'>;
export type PatientAdmission = Patient['admissions'][number];
export type TestPage = Answer<'/api/v1/patients/{id}/tests/'>;
export type LabTest = TestPage['results'][number];
export type LabResult = LabTest['results'][number];
export type Feeds = Answer<'/api/v1/feeds/'>;
export type Feed = Feeds['results'][number];
export type Freshness = Feed['freshness'];
export type FeedFilePage = Answer<'/api/v1/feed-files/'>;
export type FeedFile = FeedFilePage['results'][number];
export type FeedFileStatus = FeedFile['status'];
