CREATE INDEX break_glass_by_post ON break_glass (role, property, judge_by);
