use super::*;

fn task(user: Option<&str>, user_text: Option<&str>) -> SamplingTask {
    SamplingTask {
        key: "p".into(),
        prompt: Prompt::Text("Say hello.".into()),
        user: user.map(String::from),
        user_text: user_text.map(String::from),
    }
}

fn users(tasks: &[SamplingTask]) -> Vec<Option<&str>> {
    tasks.iter().map(|t| t.user.as_deref()).collect()
}

#[test]
fn a_system_that_cannot_tell_users_apart_answers_each_prompt_once() {
    let data = ExperimentData {
        tasks: vec![task(None, None), task(Some("1"), None)],
        ..Default::default()
    };
    assert_eq!(users(&data.tasks_for(UserText::Own, false)), [None]);
    assert_eq!(
        users(&data.tasks_for(UserText::Own, true)),
        [None, Some("1")]
    );
}

#[test]
fn user_texts_tell_users_apart_unless_they_are_left_out() {
    let data = ExperimentData {
        tasks: vec![
            task(Some("1"), Some("I like birds.")),
            task(Some("2"), None),
        ],
        ..Default::default()
    };
    assert_eq!(
        users(&data.tasks_for(UserText::Own, false)),
        [Some("1"), Some("2")]
    );
    let silent = data.tasks_for(UserText::None, true);
    assert!(silent.iter().all(|t| t.user_text.is_none()));
    assert!(data.tasks_for(UserText::None, false).is_empty());
}

#[test]
fn the_oracle_is_told_the_preference_at_the_end_of_the_instruction() {
    let mut data = ExperimentData {
        tasks: vec![task(None, None), task(Some("1"), None)],
        preferences: [("1".to_string(), "Be brief.".to_string())].into(),
        ..Default::default()
    };
    let tasks = data.tasks_for(UserText::Preference, false);
    assert_eq!(users(&tasks), [Some("1")]);
    assert_eq!(tasks[0].prompt, Prompt::Text("Say hello. Be brief.".into()));
    data.raw = RawForm::Around(["<user> ".into(), " <answer>".into()]);
    let tasks = data.tasks_for(UserText::Preference, false);
    let expected = "<user> Say hello. Be brief. <answer>";
    assert_eq!(tasks[0].prompt, Prompt::Text(expected.into()));
}

#[test]
fn a_raw_dialogue_is_lines_of_roles_after_the_users_text() {
    let said = |role: &str, content: &str| Message::new(role, content);
    let data = ExperimentData {
        tasks: vec![SamplingTask {
            prompt: Prompt::Chat(vec![
                said("user", "Hi."),
                said("assistant", "Hello."),
                said("user", "Why?"),
            ]),
            ..task(Some("1"), Some("age: 30;"))
        }],
        raw: RawForm::Dialogue,
        ..Default::default()
    };
    let task = &data.tasks_for(UserText::Own, true)[0];
    let expected = "user: Hi.\nassistant: Hello.\nuser: Why?\nassistant:";
    assert_eq!(task.prompt, Prompt::Text(expected.into()));
    assert_eq!(task.user_text.as_deref(), Some("age: 30;\n"));
}

#[test]
fn thinning_keeps_exactly_as_many_evenly_spaced() {
    let mut side: Vec<usize> = (0..10).collect();
    thin(&mut side, 4);
    assert_eq!(side, [0, 3, 5, 8]);
    thin(&mut side, 0);
    assert_eq!(side.len(), 4);
}
